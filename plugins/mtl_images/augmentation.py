"""The options of image augmentation."""

from pydantic import NonNegativeInt

from mtl_core import Probability, StrictModel


class Augmentation(StrictModel):
    """Random changes of each training image: a flip, a shift, brightness."""

    horizontal_flip: bool = False
    """Mirror half of the images."""
    shift: NonNegativeInt = 0
    """Maximum shift in pixels, up, down, left and right; the border is filled with the mean color."""
    brightness: Probability = 0.0
    """Maximum relative change of the brightness: 0.2 multiplies it by 0.8 to 1.2."""

    @property
    def moves_pixels(self) -> bool:
        """Whether pixels can be at another position afterwards."""
        return self.horizontal_flip or self.shift > 0
