"""The built-in fusions of input columns."""
