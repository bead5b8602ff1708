"""Raw outputs and targets for every label of a split, as in `outputs.safetensors`; the input of all metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtl_core.atomic import write_atomically
from mtl_core.data.corpus import Part
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import BatchOutputs, labelled_outputs
from mtl_core.runs.directory import RunDirectory
from mtl_core.training.batches import Rows
from mtl_core.training.groups import TaskGroup


@dataclass(frozen=True)
class TaskOutputs:
    """Raw outputs and targets for each label (per example or token) of one task, in the order of the examples.

    Attributes:
        outputs: `(labels, outputs)`, float32: the raw outputs of the head.
        targets: `(labels, ...)`: the targets as the label space encodes them.
        examples: `(labels,)`, int64: the line of `predictions.jsonl` that each label belongs to, counted from 0.
    """

    outputs: torch.Tensor
    targets: torch.Tensor
    examples: torch.Tensor


class OutputsGatherer:
    """Collects the outputs of main tasks for all unmasked labels per batch: exactly the input of their metrics.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        self._said: dict[str, list[TaskOutputs]] = {
            task.name: [] for group in groups if not group.auxiliary for task in group.tasks
        }

    def update(self, said: BatchOutputs) -> None:
        """Add the outputs of a batch."""
        for task, outputs, targets, rows in labelled_outputs(self._groups, said):
            if task.name in self._said:
                self._said[task.name].append(TaskOutputs(outputs, targets, torch.from_numpy(rows)))

    def write(self, run: RunDirectory, part: Part, rows: Rows) -> None:
        """Write `outputs.safetensors`.

        Args:
            run: The run directory.
            part: Name of the evaluated split.
            rows: `(examples,)`, int64: row indices of the split, in the order of `predictions.jsonl`.
        """
        tensors: dict[str, torch.Tensor] = {}
        for name, batches in self._said.items():
            for key, table in _in_order(batches, rows).items():
                tensors[f"{name}/{key}"] = table
        write_atomically(run.outputs, lambda path: save_file(tensors, path, metadata={"part": part}))


def _in_order(batches: Sequence[TaskOutputs], rows: Rows) -> dict[str, torch.Tensor]:
    """Concatenate the batches of a task in the order of the examples; an empty dict for a task without labels."""
    if not batches:
        return {}
    corpus_rows = torch.cat([batch.examples for batch in batches]).numpy()
    order = torch.from_numpy(np.argsort(corpus_rows, kind="stable"))
    return {
        "outputs": torch.cat([batch.outputs for batch in batches])[order].contiguous(),
        "targets": torch.cat([batch.targets for batch in batches])[order].contiguous(),
        "examples": torch.from_numpy(_places(corpus_rows, rows))[order].contiguous(),
    }


def _places(corpus_rows: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
    """Return the index of each row within the split, whose rows are sorted."""
    places: NDArray[np.int64] = np.searchsorted(rows, corpus_rows)
    return places


def read_outputs(run: RunDirectory) -> tuple[str, Mapping[str, TaskOutputs]]:
    """Read the name of the evaluated split, and task name to outputs.

    Raises:
        MtlError: If the file is missing or damaged.
    """
    run.require(run.outputs)
    try:
        with safe_open(run.outputs, framework="pt") as file:
            part = (file.metadata() or {})["part"]
            names = [key.removesuffix("/outputs") for key in file.keys() if key.endswith("/outputs")]  # noqa: SIM118
            said = {name: TaskOutputs(*(file.get_tensor(f"{name}/{key}") for key in _KEYS)) for name in names}
    except (SafetensorError, OSError, KeyError) as error:
        raise MtlError(f"{run.outputs}: damaged: {error}") from error
    return part, said


_KEYS = ("outputs", "targets", "examples")
