"""The torch modules of the weightings."""
