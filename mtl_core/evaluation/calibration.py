"""Calibration of probabilities: temperatures and thresholds, fitted on the validation split after training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.artifacts.metrics import CalibrationError
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration_error import compute_expected_calibration_error
from mtl_core.evaluation.inference import run_network
from mtl_core.evaluation.label_buffer import LabelBuffer
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.nn.task_kind import Confidences


@dataclass(frozen=True)
class Calibration:
    """Fitted calibration values and their effect.

    Attributes:
        values: Task name to the values of the task; tasks of one head group share them.
        errors: Kind of decision (`label`; `detection` and `class`) to its calibration error.
    """

    values: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, CalibrationError]


def check_calibration(data: FittedData) -> None:
    """Check that the data has a validation split.

    Raises:
        MtlError: If there is no validation split.
    """
    if not len(data.split.validation):
        raise MtlError(
            "training.calibrate: calibration needs a validation split; set `split.validation`, or set this to false"
        )


def calibrate(network: MultiTaskNetwork, data: FittedData) -> Calibration:
    """Fit calibration values per head group of main tasks on the validation split, and apply them to the tasks.

    One temperature per group, not per task: small tasks with rare classes have too few labels for a temperature.
    """
    values: dict[str, Mapping[str, float]] = {}
    before, after = _ConfidenceCollector(), _ConfidenceCollector()
    for group, buffer in zip(data.groups, _collect_validation_labels(network, data), strict=True):
        labels = buffer.take_labels()
        if labels is None:
            continue
        outputs, targets = labels.outputs, labels.targets
        kind = group.tasks[0].kind
        group_values = kind.fit_calibration(outputs, targets)
        if not group_values:
            continue  # in neither error, so that both are computed on the same predictions
        before.add(kind.compute_confidences(outputs, targets))
        values |= {task.name: group_values for task in group.tasks}
        apply_calibration([group], values)
        after.add(kind.compute_confidences(outputs, targets))
    return Calibration(values, {name: before.compare(name, after) for name in after.names})


def apply_calibration(groups: Sequence[TaskGroup], values: Mapping[str, Mapping[str, float]]) -> None:
    """Apply calibration values to tasks.

    Args:
        groups: The head groups of the tasks.
        values: Task name to calibration values; other tasks keep theirs.
    """
    for group in groups:
        for task in group.tasks:
            if task.name in values:
                task.kind.calibration = values[task.name]


def _collect_validation_labels(network: MultiTaskNetwork, data: FittedData) -> list[LabelBuffer]:
    """Return the unmasked validation labels of each head group; none of auxiliary tasks."""
    # Outputs per pixel would not fit into memory; kinds with labels per pixel have no calibration.
    active_groups = [not group.is_auxiliary and group.tasks[0].config.kind.level != "pixel" for group in data.groups]
    rows = data.split.select_labelled(data.split.validation)
    buffers = [LabelBuffer() for _ in data.groups]
    for batch_outputs in run_network(network, data.examples, rows, get_device(network), active_groups):
        for group, buffer, output, targets in zip(
            data.groups, buffers, batch_outputs.groups, batch_outputs.batch.targets, strict=True
        ):
            if output is not None:
                buffer.add(output.outputs, targets, group.mask(targets))
    return buffers


class _ConfidenceCollector:
    """Confidences of several groups, per kind of decision."""

    def __init__(self) -> None:
        self._confidences: dict[str, list[Confidences]] = {}

    @property
    def names(self) -> list[str]:
        return list(self._confidences)

    def add(self, confidences: Mapping[str, Confidences]) -> None:
        for name, group_confidences in confidences.items():
            self._confidences.setdefault(name, []).append(group_confidences)

    def compare(self, name: str, after: "_ConfidenceCollector") -> CalibrationError:
        (n, before), (_, after_value) = self._compute_error(name), after._compute_error(name)
        return CalibrationError(n, before, after_value)

    def _compute_error(self, name: str) -> tuple[int, float | None]:
        confidence = torch.cat([group_confidences.confidence for group_confidences in self._confidences[name]])
        is_correct = torch.cat([group_confidences.is_correct for group_confidences in self._confidences[name]])
        return len(is_correct), compute_expected_calibration_error(confidence, is_correct)
