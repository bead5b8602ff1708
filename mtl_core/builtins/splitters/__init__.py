"""The built-in splitters, which divide data into training, validation and test splits."""
