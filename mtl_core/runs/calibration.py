"""Calibration of probabilities: temperatures and thresholds, fitted on the validation split after training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration import expected_calibration_error
from mtl_core.evaluation.outputs import labelled_outputs, run_network
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.saved import device_of
from mtl_core.training.groups import TaskGroup
from mtl_core.training.kinds import Confidences


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error of one kind of decision, over all tasks that make it.

    Attributes:
        n: Number of predictions.
        before: The expected calibration error without calibration.
        after: The error with calibration, on the same labels that calibration was fitted on.
    """

    n: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Calibration:
    """Fitted calibration values and their effect.

    Attributes:
        values: Task name to the values of the task; tasks of one head group share them.
        errors: Kind of decision (`label`; `detection` and `class`) to its calibration error.
    """

    values: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, CalibrationError]


def check_calibration(prepared: Prepared) -> None:
    """Check that the data has a validation split.

    Raises:
        MtlError: If there is no validation split.
    """
    if not len(prepared.split.validation):
        raise MtlError(
            "training.calibrate: calibration needs a validation split; set `split.validation`, or set this to false"
        )


def calibrate(network: MultiTaskNetwork, prepared: Prepared) -> Calibration:
    """Fit calibration values per head group of main tasks on the validation split, and apply them to the tasks.

    One temperature per group, not per task: small tasks with rare classes have too few labels for a temperature.
    """
    groups = [group for group in prepared.groups if not group.auxiliary]
    said = _validation_outputs(network, prepared)
    values: dict[str, Mapping[str, float]] = {}
    before, after = _Gathered(), _Gathered()
    for group in groups:
        own = [said[task.name] for task in group.tasks if task.name in said]
        if not own:
            continue
        outputs, targets = (torch.cat(tables) for tables in zip(*own, strict=True))
        kind = group.tasks[0].kind
        chosen = kind.fit_calibration(outputs, targets)
        if not chosen:
            continue  # in neither error, so that both are computed on the same predictions
        before.add(kind.confidences(outputs, targets))
        values |= {task.name: chosen for task in group.tasks}
        follow([group], values)
        after.add(kind.confidences(outputs, targets))
    return Calibration(values, {name: before.error(name, after) for name in after.names})


def follow(groups: Sequence[TaskGroup], values: Mapping[str, Mapping[str, float]]) -> None:
    """Apply calibration values to tasks.

    Args:
        groups: The head groups of the tasks.
        values: Task name to calibration values; other tasks keep theirs.
    """
    for group in groups:
        for task in group.tasks:
            if task.name in values:
                task.kind.calibration = values[task.name]


def _validation_outputs(
    network: MultiTaskNetwork, prepared: Prepared
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return outputs and targets of the unmasked validation labels per task."""
    asked = [not group.auxiliary for group in prepared.groups]
    rows = prepared.split.speaking(prepared.split.validation)
    found: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for said in run_network(network, prepared.examples, rows, device_of(network), asked):
        for task, outputs, targets, _ in labelled_outputs(prepared.groups, said):
            found.setdefault(task.name, []).append((outputs, targets))
    return {
        name: (torch.cat([said for said, _ in parts]), torch.cat([true for _, true in parts]))
        for name, parts in found.items()
    }


class _Gathered:
    """Confidences of several groups, per kind of decision."""

    def __init__(self) -> None:
        self._found: dict[str, list[Confidences]] = {}

    @property
    def names(self) -> list[str]:
        return list(self._found)

    def add(self, confidences: Mapping[str, Confidences]) -> None:
        for name, some in confidences.items():
            self._found.setdefault(name, []).append(some)

    def error(self, name: str, after: "_Gathered") -> CalibrationError:
        (n, before), (_, then) = self._measured(name), after._measured(name)
        return CalibrationError(n, before, then)

    def _measured(self, name: str) -> tuple[int, float | None]:
        confidence = torch.cat([some.confidence for some in self._found[name]])
        right = torch.cat([some.right for some in self._found[name]])
        return len(right), expected_calibration_error(confidence, right)
