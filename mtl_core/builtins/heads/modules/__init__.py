"""The torch modules of the heads."""
