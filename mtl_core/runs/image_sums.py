"""Sums of the metrics of each image, for tasks with labels per pixel.

Outputs per pixel would need gigabytes. Comparisons only need the sums that each example contributes to each metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.batches import RowIndices
from mtl_core.data.fitted_task import FittedTask
from mtl_core.evaluation.metric_accumulator import has_sums


@dataclass(frozen=True)
class ImageSums:
    """The sums behind the metrics of one task with labels per pixel, one row per labelled image.

    Attributes:
        examples: `(images,)`, int64: the line of `predictions.jsonl` of each image, counted from 0.
        fingerprints: `(images, 3)`: numbers that are equal for equal labels: the number of labelled pixels, and two
            that depend on the label and the place of each. int64 for classes, float64 for numbers.
        counts: Metric name to `(images,)`, int64: the number of pixels that it scores.
        sums: Metric name to `(images, sums)`, float64.
        baseline_sums: The same for the baseline; empty if the task has none.
    """

    examples: torch.Tensor
    fingerprints: torch.Tensor
    counts: Mapping[str, torch.Tensor]
    sums: Mapping[str, torch.Tensor]
    baseline_sums: Mapping[str, torch.Tensor]


class ImageSumCollector:
    """Collects the sums of the metrics of a task, image by image.

    Args:
        task: The task.
    """

    def __init__(self, task: FittedTask) -> None:
        self._task = task
        self._metrics = [spec for spec in task.kind.metrics if spec.scalar and has_sums(spec)]
        self._rows: list[int] = []
        self._tables: dict[str, list[NDArray[np.generic]]] = {}

    def update(self, outputs: torch.Tensor, targets: torch.Tensor, rows: RowIndices) -> None:
        """Add labelled pixels.

        Args:
            outputs: `(pixels, outputs)`, float32.
            targets: `(pixels,)` or `(pixels, channels)`.
            rows: `(pixels,)`, int64: row index of the image of each pixel, in ascending order of the batch.
        """
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        stops = [*starts[1:], len(rows)]
        for start, stop in zip(starts.tolist(), stops, strict=True):
            self._rows.append(int(rows[start]))
            self._add_image(outputs[start:stop], targets[start:stop])

    def _add_image(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        kind, space = self._task.kind, self._task.space
        prepared = {"sums": kind.prepare_for_metrics(outputs, targets)}
        if kind.baseline is not None:
            baseline = kind.without_calibration()
            baseline_outputs = baseline.build_baseline_outputs(len(targets)).float()
            prepared["baseline"] = baseline.prepare_for_metrics(baseline_outputs, targets)
        self._append("fingerprints", _compute_fingerprint(prepared["sums"][1]))
        for spec in self._metrics:
            is_scored = spec.select_rows(space, targets)
            n_scored = int(is_scored.sum())
            self._append(f"counts/{spec.key()}", np.asarray(n_scored))
            for name, tensors in prepared.items():
                scored = tensors if n_scored == len(targets) else tuple(table[is_scored] for table in tensors)
                sums = spec.compute_sums(space, *scored)
                if sums is not None:
                    self._append(f"{name}/{spec.key()}", sums)

    def _append(self, key: str, values: NDArray[np.generic]) -> None:
        self._tables.setdefault(key, []).append(values)

    def build_tensors(self, split_rows: RowIndices) -> dict[str, torch.Tensor]:
        """Return the tables in the order of the examples; an empty dict for a task without labels.

        Args:
            split_rows: `(examples,)`, int64: row indices of the split, in ascending order.
        """
        if not self._rows:
            return {}
        rows = np.array(self._rows, dtype=np.int64)
        order = np.argsort(rows, kind="stable")
        tables = {key: torch.from_numpy(np.stack(values)[order]) for key, values in self._tables.items()}
        return {"examples": torch.from_numpy(np.searchsorted(split_rows, rows[order])), **tables}


def parse_image_sums(tensors: Mapping[str, torch.Tensor]) -> ImageSums:
    """Build the sums of a task from the result of `ImageSumCollector.build_tensors`.

    Raises:
        KeyError: If a table is missing.
    """
    by_prefix: dict[str, dict[str, torch.Tensor]] = {"counts": {}, "sums": {}, "baseline": {}}
    for key, table in tensors.items():
        prefix, _, metric = key.partition("/")
        if metric:
            by_prefix[prefix][metric] = table
    return ImageSums(tensors["examples"], tensors["fingerprints"], *by_prefix.values())


def _compute_fingerprint(labels: torch.Tensor) -> NDArray[np.generic]:
    """Return three numbers that are equal for equal labels, in units that do not depend on the run."""
    values = labels.numpy()
    if values.dtype.kind != "f":
        digest = blake2b(values.astype(np.int64).tobytes(), digest_size=16).digest()
        return np.array([len(values), *np.frombuffer(digest, dtype=np.int64)], dtype=np.int64)
    flat = np.nan_to_num(values.reshape(-1).astype(np.float64))
    weights = np.arange(1, len(flat) + 1) / len(flat)
    return np.array([len(values), flat.mean(), (flat * weights).mean()], dtype=np.float64)


def is_collected(task: FittedTask) -> bool:
    """Return whether the sums of each image are stored for a task, instead of its outputs."""
    return task.config.kind.level == "pixel"


def list_keys(names: Sequence[str]) -> dict[str, list[str]]:
    """Group the keys of a file of outputs by task: task name to the keys of its sums, without the name."""
    marker = "/fingerprints"
    tasks = [name.removesuffix(marker) for name in names if name.endswith(marker)]
    return {
        task: [
            key.removeprefix(f"{task}/")
            for key in names
            if key.startswith(f"{task}/") and key.removeprefix(f"{task}/").partition("/")[0] in _PREFIXES
        ]
        for task in tasks
    }


_PREFIXES = ("examples", "fingerprints", "counts", "sums", "baseline")
