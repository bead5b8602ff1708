"""The torch modules of the losses."""
