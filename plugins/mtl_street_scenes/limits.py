"""The number of scenes."""

MAX_SCENES = 1_000_000
"""Limit of the number of scenes per split; the first test scene has this index."""
