"""Helpers to read text files, CSV files and tables, with messages that name the file and line."""
