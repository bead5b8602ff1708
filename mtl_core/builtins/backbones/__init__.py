"""The built-in backbones, which accept any features."""
