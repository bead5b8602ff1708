"""The built-in loader."""
