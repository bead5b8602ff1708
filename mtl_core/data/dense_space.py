"""Label spaces of tasks with one label per pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.class_space import ClassSpace
from mtl_core.data.label_space import MISSING, LabelSpace
from mtl_core.data.masks import ImageSize, MaskReader, describe_mask
from mtl_core.data.number_space import FLOAT32_MAX, NumberSpace
from mtl_core.errors import MtlError, join_names


class DenseSpace(LabelSpace):
    """Base class of label spaces with one label per pixel, whose labels are masks.

    Attributes:
        reader: Reads the masks.
        target_dtype: The dtype of the targets of a batch.
    """

    reader: MaskReader
    target_dtype: np.dtype[Any]

    @abstractmethod
    def encode_mask(self, values: NDArray[Any], name: str) -> NDArray[Any]:
        """Encode a mask as compact targets: `MISSING` or NaN for unlabelled pixels.

        Args:
            values: `(height, width)`, or with channels last, any numeric dtype.
            name: The name of the mask, for messages.

        Raises:
            MtlError: If a value is not in the space.
        """

    def read_targets(self, label: object, size: ImageSize) -> NDArray[Any]:
        """Read a mask and encode it: `(pixels,)` or `(pixels, channels)`, row by row.

        Args:
            label: The path of a mask, or a `Mask`.
            size: The size of the image.

        Raises:
            MtlError: If the mask does not fit the image or the space.
        """
        targets = self.encode_mask(self.reader.read(label, size), describe_mask(label))
        return targets.reshape(size[0] * size[1], *targets.shape[2:])


class PixelClassSpace(DenseSpace, ClassSpace):
    """One of several named classes per pixel; the value of a pixel is the index of its class.

    Args:
        classes: Class names in the order of their values, from 0.
        reader: Reads the masks.
        ignore_index: The values of unlabelled pixels.
        class_counts: Number of training pixels per class.
        excluded: Labels that a mask excludes.
    """

    target_dtype = np.dtype(np.int64)

    def __init__(
        self,
        classes: Sequence[str],
        reader: MaskReader,
        ignore_index: Sequence[int],
        class_counts: Mapping[str, int],
        excluded: Iterable[str] = (),
    ) -> None:
        super().__init__(classes, excluded)
        self.reader = reader
        self.ignore_index = tuple(ignore_index)
        self.class_counts = dict(class_counts)

    def encode_mask(self, values: NDArray[Any], name: str) -> NDArray[Any]:
        """Return the codes of the classes, `(height, width)`, int16."""
        codes, is_missing = convert_class_values(values, self.ignore_index, name)
        is_invalid = ~is_missing & ((codes < 0) | (codes >= len(self.classes)))
        if is_invalid.any():
            row, column = np.argwhere(is_invalid)[0].tolist()
            raise MtlError(
                f"{name}: the pixel in row {row}, column {column} has the value {codes[row, column]}, expected the "
                f"index of a class, 0 to {len(self.classes) - 1} ({join_names(self.classes, 5)}), or `ignore_index` "
                f"({join_names(map(str, self.ignore_index))})"
            )
        codes[is_missing] = MISSING
        return codes.astype(np.int16)

    def state(self) -> dict[str, Any]:
        """Return the classes, the excluded labels and the number of pixels per class."""
        return {**super().state(), "pixels": self.class_counts}


def convert_class_values(
    values: NDArray[Any], ignore_index: Sequence[int], name: str
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Convert the values of a mask to integers.

    Args:
        values: `(height, width)`, any numeric dtype; NaN marks unlabelled pixels too.
        ignore_index: The values of unlabelled pixels.
        name: The name of the mask, for messages.

    Returns:
        `(height, width)`, int32: the values; `(height, width)`, bool: which pixels are unlabelled.

    Raises:
        MtlError: If a value is not an integer.
    """
    is_missing = np.isin(values, ignore_index)
    if values.dtype.kind == "f":
        is_missing |= np.isnan(values)
        integers = np.where(is_missing, 0, values).round()
        is_fraction = ~is_missing & ((integers != values) | (np.abs(values) > np.iinfo(np.int32).max))
        if is_fraction.any():
            raise MtlError(f"{name}: a pixel has the value {values[is_fraction][0]:g}, expected the index of a class")
        return integers.astype(np.int32), is_missing
    limits = np.iinfo(np.int32)
    return np.where(is_missing, 0, values).astype(np.int64).clip(limits.min, limits.max).astype(np.int32), is_missing


class PixelNumberSpace(DenseSpace, NumberSpace):
    """One number, or one vector, per pixel, standardised with the training pixels.

    Args:
        numbers: Mean and scale of the numbers.
        reader: Reads the masks.
        ignore_value: The value of unlabelled pixels, in all their channels; None if only NaN marks them.
        factor: Factor that converts the values of masks to the units of the labels.
    """

    target_dtype = np.dtype(np.float32)

    def __init__(self, numbers: NumberSpace, reader: MaskReader, ignore_value: float | None, factor: float) -> None:
        super().__init__(numbers.mean.tolist(), numbers.scale.tolist(), numbers.vector, numbers.training_mean.tolist())
        self.reader = reader
        self.ignore_value = ignore_value
        self.factor = factor

    def encode_mask(self, values: NDArray[Any], name: str) -> NDArray[Any]:
        """Standardise numbers: `(height, width)` or `(height, width, channels)`, float32; NaN if unlabelled."""
        numbers = convert_number_values(values, self.ignore_value, self.factor, name)
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite and is rejected below
            scaled = ((numbers - self.mean) / self.scale).astype(np.float32)
        if np.isinf(scaled).any():
            raise MtlError(f"{name}: a pixel is too large after scaling")
        return scaled if self.vector else scaled[:, :, 0]


def convert_number_values(
    values: NDArray[Any], ignore_value: float | None, factor: float, name: str
) -> NDArray[np.float64]:
    """Convert the values of a mask to numbers in the units of the labels.

    Args:
        values: `(height, width)`, or with channels last.
        ignore_value: The value of unlabelled pixels, in all their channels.
        factor: Factor of all values.
        name: The name of the mask, for messages.

    Returns:
        `(height, width, channels)`, float64; NaN in all channels of unlabelled pixels.

    Raises:
        MtlError: If a number is infinite, or too large for float32.
    """
    stored = values[:, :, None] if values.ndim == 2 else values
    numbers = stored.astype(np.float64) * factor
    is_missing = np.isnan(numbers).any(axis=2)
    if ignore_value is not None:
        is_missing |= (stored == ignore_value).all(axis=2)
    numbers[is_missing] = np.nan
    is_too_large = np.abs(numbers) > FLOAT32_MAX
    if is_too_large.any():
        raise MtlError(f"{name}: a pixel has the value {numbers[is_too_large][0]:g}, expected a finite number")
    return numbers


def iterate_masks(
    labels: Sequence[object], locations: Sequence[str], reader: MaskReader
) -> Iterator[tuple[NDArray[Any], str]]:
    """Read masks one at a time, in their own size.

    Yields:
        The values of each mask, and its name.

    Raises:
        MtlError: If a mask is missing or damaged; the message contains the location of its example.
    """
    for index, label in enumerate(labels):
        try:
            yield reader.read(label), describe_mask(label)
        except MtlError as error:
            location = f"{locations[index]}: " if index < len(locations) else ""
            raise MtlError(f"{location}{error}") from error
