"""How tables become corpora: files to rows, rows to columns, columns to a corpus."""
