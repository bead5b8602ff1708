"""The built-in encoder."""
