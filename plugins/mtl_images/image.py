"""The spec of the image encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mtl_core import EncoderSpec, Layout
from mtl_images.augmentation import Augmentation
from mtl_images.image_options import N_CHANNELS, ColorMode, Resize

if TYPE_CHECKING:
    from mtl_images.image_encoder import ImageEncoder


Size = PositiveInt | Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
ChannelValues = Annotated[list[float], Field(min_length=1, max_length=3)]


class Image(EncoderSpec):
    """Images of one size, normalised per channel.

    An input is the path of an image file or of an array (`.npy`), an image of Pillow, the bytes of a file, or an array:
    `(height, width)` or `(height, width, channels)`, integers from 0 to 255 or floats from 0 to 1. Images are decoded
    once if all fit into `memory_mb`; otherwise on each use, in the background. Transparent pixels are blended with
    white.
    """

    type: Literal["image"] = "image"
    layout: ClassVar[Layout | None] = "spatial"
    size: Size = 64
    """Height and width that images are resized to; one number for squares."""
    resize: Resize = "stretch"
    """`stretch` ignores the aspect ratio, `crop` keeps it and cuts off the rest, `none` refuses other sizes."""
    color_mode: ColorMode = "rgb"
    """`rgb`: three channels. `grayscale`: one channel."""
    mean: ChannelValues | None = None
    """Mean of each channel, on the scale from 0 to 1; by default that of the training images."""
    std: ChannelValues | None = None
    """Standard deviation of each channel, on the scale from 0 to 1; by default that of the training images."""
    augmentation: Augmentation = Augmentation()
    """Random changes of training images."""
    memory_mb: PositiveInt = 1024
    """Memory for decoded images, in MB; more images than fit are decoded on each use."""
    max_megapixels: PositiveFloat = 50.0
    """Largest image that is decoded, in millions of pixels; files that declare more are refused."""

    @model_validator(mode="after")
    def _validate_channels(self) -> Image:
        if (self.mean is None) != (self.std is None):
            raise ValueError("`mean` and `std` belong together; found only one of them")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != N_CHANNELS[self.color_mode]:
                raise ValueError(
                    f"`{name}` has {len(values)} values, but a {self.color_mode} image has "
                    f"{N_CHANNELS[self.color_mode]} channels"
                )
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"`std` must be above 0, found {min(self.std):g}")
        height, width = self.image_size
        if 2 * self.augmentation.shift >= min(height, width):
            raise ValueError(
                f"`augmentation.shift` of {self.augmentation.shift} pixels moves half of an image of {height} x {width}"
                " pixels or more out of it"
            )
        return self

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) that images are resized to."""
        return (self.size, self.size) if isinstance(self.size, int) else (self.size[0], self.size[1])

    def build(self) -> ImageEncoder:
        """Build the encoder."""
        from mtl_images.image_encoder import ImageEncoder
        from mtl_images.image_reader import ImageReader

        reader = ImageReader(self.image_size, self.resize, self.color_mode, self.max_megapixels)
        return ImageEncoder(reader, self.mean, self.std, self.augmentation, self.memory_mb)
