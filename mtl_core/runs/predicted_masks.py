"""Files of predicted masks: PNG images of class indices, arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from mtl_core.atomic import write_atomically
from mtl_core.data.masks import ImageSize
from mtl_core.data.png_encoding import encode_png
from mtl_core.data.task_groups import TaskGroup
from mtl_core.runs.prediction import Prediction, TaskPrediction

MAX_CHUNK_PIXELS = 2**25
"""Largest number of predicted pixels in memory."""
MAX_RUN_BYTES = 2**26
"""Largest size of the predicted masks that a run directory keeps, before compression."""


def compute_chunk_size(chunk_size: int, groups: Sequence[TaskGroup], image_size: ImageSize | None) -> int:
    """Return how many examples are predicted at a time: fewer if their predictions are masks.

    Args:
        chunk_size: The number of examples without masks.
        groups: The head groups.
        image_size: The size of the images.
    """
    n_masks = sum(len(group.tasks) for group in groups if group.tasks[0].config.kind.level == "pixel")
    if image_size is None or not n_masks:
        return chunk_size
    return max(1, min(chunk_size, MAX_CHUNK_PIXELS // (image_size[0] * image_size[1] * n_masks)))


class MaskWriter:
    """Writes the predicted masks of a stream of predictions, one file per task and example.

    The files are `FOLDER/TASK/000001.png` for classes and `.npy` for numbers; the number is that of the prediction
    in the stream, from 1.

    Args:
        folder: The folder of the files; it is created with the first mask.
        base: The folder that the paths in predictions are relative to; None to leave them as they are.
        max_bytes: Largest size of all masks before compression; those of later examples are not written. None for
            no limit.
    """

    def __init__(self, folder: Path, base: Path | None = None, max_bytes: int | None = None) -> None:
        self._folder = folder
        self._base = base
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._number = 0

    def write(self, prediction: Prediction) -> Prediction:
        """Write the masks of the next prediction, and return it with the paths of the files."""
        self._number += 1
        masks = {name: task.mask for name, task in prediction.tasks.items() if task.mask is not None}
        self._n_bytes += sum(mask.nbytes for mask in masks.values())
        if not masks or (self._max_bytes is not None and self._n_bytes > self._max_bytes):
            return prediction
        return replace(
            prediction, tasks={name: self._write_task(name, task) for name, task in prediction.tasks.items()}
        )

    def _write_task(self, name: str, task: TaskPrediction) -> TaskPrediction:
        if task.mask is None:
            return task
        mask = task.mask
        is_image = mask.ndim == 2 and mask.dtype in (np.uint8, np.uint16)
        # A task name may contain any character; quoted, it is one name on every file system.
        folder = self._folder / quote(name, safe=" ").replace(".", "%2E")
        path = folder / f"{self._number:06}{'.png' if is_image else '.npy'}"
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: _write_mask(temporary, mask, is_image))
        name_in_record = path if self._base is None else path.relative_to(self._base)
        return replace(task, mask_file=name_in_record.as_posix())


def _write_mask(path: Path, mask: NDArray[np.generic], is_image: bool) -> None:
    if is_image:
        path.write_bytes(encode_png(mask))
        return
    with path.open("wb") as file:
        np.save(file, mask, allow_pickle=False)
