"""Making probabilities true: temperatures and thresholds, chosen on validation data after training."""

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
    """How far confidence and truth lie apart for one question, over all tasks that answer it.

    Attributes:
        n: Answers that it was measured on.
        before: The expected calibration error without calibration.
        after: The same with it, on the very labels that it was chosen by.
    """

    n: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Calibration:
    """What was chosen, and what it brought.

    Attributes:
        values: Name of each task to what was chosen for it; like tasks have the same.
        errors: Name of each question (`label`; `detection` and `class`) to its error.
    """

    values: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, CalibrationError]


def check_calibration(prepared: Prepared) -> None:
    """Refuse to calibrate without data.

    Raises:
        MtlError: If there is no validation part.
    """
    if not len(prepared.split.validation):
        raise MtlError(
            "training.calibrate: there is no validation data to choose by; give `split.validation`, or false"
        )


def calibrate(network: MultiTaskNetwork, prepared: Prepared) -> Calibration:
    """Choose, for each group of like main tasks, what makes its probabilities true, and let the tasks follow it.

    One temperature a group, not a task: rare classes of small tasks would not carry one of their own.
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
            continue  # counted on neither side, so that both errors are of the same answers
        before.add(kind.confidences(outputs, targets))
        values |= {task.name: chosen for task in group.tasks}
        follow([group], values)
        after.add(kind.confidences(outputs, targets))
    return Calibration(values, {name: before.error(name, after) for name in after.names})


def follow(groups: Sequence[TaskGroup], values: Mapping[str, Mapping[str, float]]) -> None:
    """Let tasks follow what was chosen for them."""
    for group in groups:
        for task in group.tasks:
            if task.name in values:
                task.kind.calibration = values[task.name]


def _validation_outputs(
    network: MultiTaskNetwork, prepared: Prepared
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Outputs and targets of each task's validation labels that count."""
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
    """Answers of several groups, by question."""

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
