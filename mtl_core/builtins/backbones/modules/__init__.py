"""The torch modules of the backbones."""
