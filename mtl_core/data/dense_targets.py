"""Tables of targets with one label per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.dense_space import DenseSpace
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.masks import ImageSize
from mtl_core.data.subwords import get_missing_target
from mtl_core.data.targets import TargetTable
from mtl_core.errors import MtlError

MAX_BYTES_IN_MEMORY = 2**28
"""Largest size of the decoded masks of a task that are held in memory; larger ones are read for each batch."""


class DenseTargets(TargetTable):
    """One target per pixel and task.

    Args:
        columns: One column per task, with the targets of each example, `(pixels,)` or `(pixels, channels)`; None for
            an example without a mask.
        shape: `(pixels,)` or `(pixels, channels)`.
        dtype: The dtype of the targets of a batch.
    """

    def __init__(self, columns: Sequence[MaskTargets], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.columns = columns
        self.shape = shape
        self.dtype = dtype

    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the targets of a batch, `(batch, tasks, pixels)`, or with a last dimension for channels."""
        rows = row_indices.tolist()
        missing = get_missing_target(self.dtype)
        table = np.full((len(rows), len(self.columns), *self.shape), missing, dtype=self.dtype)
        for task, column in enumerate(self.columns):
            for index, row in enumerate(rows):
                targets = column[row]
                if targets is not None:
                    table[index, task] = targets
        tensor = torch.from_numpy(table)
        return tensor if pixel_indices is None else move_pixels(tensor, pixel_indices, missing)


def move_pixels(targets: torch.Tensor, pixel_indices: torch.Tensor, missing: float) -> torch.Tensor:
    """Move targets as an augmentation moved the pixels of the image.

    Args:
        targets: `(batch, tasks, pixels, ...)`.
        pixel_indices: `(batch, pixels)`, int64: the source of each pixel; -1 for a pixel from outside the image.
        missing: The target of a pixel from outside.

    Returns:
        A tensor of the shape of `targets`.
    """
    extra = [1] * (targets.ndim - 3)
    indices = pixel_indices.view(len(pixel_indices), 1, -1, *extra).expand_as(targets)
    return targets.gather(2, indices.clamp(min=0)).masked_fill(indices < 0, missing)


class LazyMaskTargets:
    """The targets of a task, read from its masks for each batch.

    Args:
        task: The task.
        labels: One mask (or None) per example.
        size: The size of the images.
        locations: The location of each example, for messages.
    """

    def __init__(
        self, task: FittedTask, labels: Sequence[Label | None], size: ImageSize, locations: Sequence[str]
    ) -> None:
        assert isinstance(task.space, DenseSpace)  # noqa: S101  checked by `encode_dense_targets`
        self.space = task.space
        self._name = task.name
        self._labels = labels
        self._size = size
        self._locations = locations

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> NDArray[Any] | None:
        """Return the targets of an example, `(pixels,)` or `(pixels, channels)`; None if it has no mask.

        Raises:
            MtlError: If the mask is damaged or has other values than the task.
        """
        label = self._labels[row]
        if label is None:
            return None
        try:
            return self.space.read_targets(label, self._size)
        except MtlError as error:
            raise MtlError(f"{self._locations[row]}: task '{self._name}': {error}") from error

    def check_sizes(self) -> None:
        """Check that all masks exist and fit their images, without reading their pixels.

        Raises:
            MtlError: If one does not.
        """
        for row, label in enumerate(self._labels):
            if label is not None:
                try:
                    self.space.reader.check_size(label, self._size)
                except MtlError as error:
                    raise MtlError(f"{self._locations[row]}: task '{self._name}': {error}") from error


MaskTargets = Sequence[NDArray[Any] | None] | LazyMaskTargets
"""The targets of a task, one entry per example."""


def encode_dense_targets(
    tasks: Sequence[FittedTask],
    labels: Mapping[str, Sequence[Label | None]],
    corpus: Corpus,
    size: ImageSize | None,
) -> DenseTargets:
    """Encode masks as targets: all at once, or lazily if they need more than `MAX_BYTES_IN_MEMORY`.

    Masks that are encoded at once are validated completely; of others, existence and size.

    Args:
        tasks: The tasks of a head group.
        labels: Task name to one mask (or None) per example.
        corpus: The examples, with their locations for messages.
        size: The size of the images; None if the encoder gives no images of one size.

    Raises:
        MtlError: If a mask is missing, damaged, or does not fit its image or its task.
    """
    for task in tasks:
        if not isinstance(task.space, DenseSpace):
            raise MtlError(
                f"task '{task.name}': its kind '{task.config.kind.type}' has one label per pixel, so its label space "
                f"must be a `DenseSpace`, found {type(task.space).__name__}"
            )
        if size is None:
            raise MtlError(
                f"task '{task.name}': its kind '{task.config.kind.type}' has one label per pixel, but the encoder "
                "gives no images of one size; use an encoder of images, such as `image`"
            )
    assert size is not None  # noqa: S101  there is at least one task
    n_pixels, channels = size[0] * size[1], tasks[0].kind.n_outputs if _has_vectors(tasks[0]) else 0
    columns: list[MaskTargets] = []
    for task in tasks:
        column = LazyMaskTargets(task, labels[task.name], size, corpus.locations)
        n_masks = sum(label is not None for label in labels[task.name])
        if n_masks * n_pixels * max(channels, 1) * 4 <= MAX_BYTES_IN_MEMORY:
            columns.append([column[row] for row in range(len(column))])
        else:
            column.check_sizes()
            columns.append(column)
    return DenseTargets(columns, (n_pixels, channels) if channels else (n_pixels,), column.space.target_dtype)


def _has_vectors(task: FittedTask) -> bool:
    return not task.space.classes and bool(getattr(task.space, "vector", False))
