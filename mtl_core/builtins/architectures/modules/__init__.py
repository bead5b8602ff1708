"""The torch modules of the architectures."""
