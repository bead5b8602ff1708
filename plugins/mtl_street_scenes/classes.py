"""What a scene consists of: the classes of its mask, and the four kinds of objects."""

from typing import Literal

Surface = Literal["background", "building", "sidewalk", "road"]
Kind = Literal["pedestrian", "vehicle", "traffic-light", "stop-sign"]

SURFACES: tuple[Surface, ...] = ("background", "building", "sidewalk", "road")
"""What is no object. Sky, trees, posts and other signs are background."""
KINDS: tuple[Kind, ...] = ("pedestrian", "vehicle", "traffic-light", "stop-sign")
"""The kinds of objects, in the order of their values in a mask."""
CLASSES: tuple[str, ...] = (*SURFACES, *KINDS)
"""The classes of a mask, in the order of their values from 0."""
UNLABELLED = 255
"""The value of pixels of objects that are too small or too hidden to count."""
