"""The values of options of the image encoder."""

from typing import Literal

ColorMode = Literal["rgb", "grayscale"]
Resize = Literal["stretch", "crop", "none"]
N_CHANNELS: dict[ColorMode, int] = {"rgb": 3, "grayscale": 1}
