"""The modules behind the built-in weightings."""
