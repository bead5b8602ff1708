"""The torch modules of the fusions."""
