"""Modules of the built-in weightings."""
