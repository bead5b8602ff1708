"""The torch module of the encoder."""
