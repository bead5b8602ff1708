"""The built-in heads."""
