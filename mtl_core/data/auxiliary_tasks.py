"""Auxiliary tasks with labels, derived from the `auxiliary:` section of an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.tasks import NamedTask
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import AuxiliarySpec


@dataclass(frozen=True)
class DerivedTask:
    """An auxiliary task, declared like a main task.

    Attributes:
        declared: The task.
        labels: One label per example; empty if the task kind derives labels from the inputs.
        spec: The config block that defines the task.
        notes: Notes for the user about the task.
    """

    declared: NamedTask
    labels: Sequence[Label | None]
    spec: AuxiliarySpec
    notes: Sequence[str] = ()

    def has_label(self, row: int) -> bool:
        """Return whether the task has a label for an example."""
        return self.declared.kind.reads_inputs or self.labels[row] is not None


def derive_auxiliary(
    config: ExperimentConfig,
    corpus: Corpus,
    labels: Mapping[str, Sequence[Label | None]],
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
    train: NDArray[np.int64],
) -> list[DerivedTask]:
    """Derive the tasks of every auxiliary block.

    Args:
        config: The experiment, which declares the blocks.
        corpus: All examples.
        labels: Name of each main task to its labels.
        encoder: The fitted encoder.
        parsed: The parsed inputs.
        train: `(n,)`, int64: indices of the training examples.

    Raises:
        MtlError: If labels cannot be derived from this data.
    """
    if not config.auxiliary:
        return []
    data = AuxiliaryData(corpus, labels, encoder, parsed, train)
    registry = Registry(load_plugins(config.plugins))
    derived = []
    for index, spec in enumerate(config.auxiliary):
        try:
            with use_registry(registry):  # specs of kinds and heads that an auxiliary task creates
                tasks = spec.build_tasks(data)
        except MtlError as error:
            raise MtlError(f"auxiliary.{index} ('{spec.task_name}'): {error}") from error
        for task in _validate_tasks(tasks, spec, len(corpus)):
            # Not a column of the data: the labels are passed separately.
            declared = NamedTask(name=task.name, kind=task.kind, head=task.head, label=f"auxiliary:{task.name}")
            notes = [f"auxiliary task '{task.name}': {note}" for note in task.notes]
            derived.append(DerivedTask(declared, task.labels, spec, notes))
            if not task.kind.reads_inputs and not any(task.labels[row] is not None for row in train.tolist()):
                raise MtlError(f"auxiliary.{index} ('{task.name}'): no training example has a label for it")
    return derived


def _validate_tasks(tasks: object, spec: AuxiliarySpec, n_examples: int) -> Sequence[AuxiliaryTask]:
    """Validate what the spec of a plugin returns."""
    if not isinstance(tasks, list | tuple) or not all(isinstance(task, AuxiliaryTask) for task in tasks):
        raise MtlError(
            f"auxiliary task '{spec.type}': its `tasks` returned {tasks!r:.80}, expected a list of AuxiliaryTask"
        )
    for task in tasks:
        expected = 0 if task.kind.reads_inputs else n_examples
        if len(task.labels) != expected:
            raise MtlError(
                f"auxiliary task '{task.name}': its `tasks` returned {len(task.labels)} labels, expected "
                f"{expected}: one per example of the corpus, none for a kind that learns from inputs"
            )
    return tasks
