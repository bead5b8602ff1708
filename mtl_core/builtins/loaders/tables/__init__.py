"""Table reading: files to rows, rows to columns, columns to a corpus."""
