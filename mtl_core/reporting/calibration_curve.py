"""Calibration: how well the confidence of predictions matches their accuracy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.json_files import read_json_lines, wrap_parse_errors
from mtl_core.artifacts.prediction_arrays import PredictionArrays
from mtl_core.artifacts.saved_predictions import read_prediction_arrays
from mtl_core.errors import MtlError

N_BINS = 10
"""Number of bins of equal width from 0 to 1."""


@dataclass
class CalibrationBin:
    """The predictions whose confidence is in one bin."""

    n: int = 0
    correct: int = 0
    confidence_sum: float = 0.0

    @property
    def mean_confidence(self) -> float:
        """The mean confidence; requires at least one prediction."""
        return self.confidence_sum / self.n

    @property
    def accuracy(self) -> float:
        """The accuracy; requires at least one prediction."""
        return self.correct / self.n


@dataclass
class CalibrationCurve:
    """Confidence and accuracy per bin: a reliability diagram (DeGroot and Fienberg, 1983)."""

    bins: list[CalibrationBin] = field(default_factory=lambda: [CalibrationBin() for _ in range(N_BINS)])

    def add(self, confidence: float, correct: bool) -> None:
        """Add one prediction: the probability of the predicted class, and whether the class is correct.

        A confidence on the border between two bins belongs to the upper bin; 1 belongs to the last bin.
        """
        bin_ = self.bins[min(int(confidence * N_BINS), N_BINS - 1)]
        bin_.n += 1
        bin_.correct += correct
        bin_.confidence_sum += confidence

    def add_arrays(self, confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> None:
        """Add predictions `(n,)`; see `add`."""
        indices = np.minimum((confidence.astype(np.float64) * N_BINS).astype(np.int64), N_BINS - 1)
        counts = np.bincount(indices, minlength=N_BINS)
        n_correct = np.bincount(indices, weights=correct, minlength=N_BINS)
        sums = np.bincount(indices, weights=confidence, minlength=N_BINS)
        for bin_, *values in zip(self.bins, counts.tolist(), n_correct.tolist(), sums.tolist(), strict=True):
            bin_.n += values[0]
            bin_.correct += int(values[1])
            bin_.confidence_sum += values[2]

    def merge(self, other: "CalibrationCurve") -> None:
        """Add all predictions of another instance."""
        for self_bin, other_bin in zip(self.bins, other.bins, strict=True):
            self_bin.n += other_bin.n
            self_bin.correct += other_bin.correct
            self_bin.confidence_sum += other_bin.confidence_sum

    @property
    def nonempty_bins(self) -> list[CalibrationBin]:
        """The bins with at least one prediction."""
        return [one for one in self.bins if one.n]

    @property
    def n(self) -> int:
        """The number of predictions."""
        return sum(one.n for one in self.bins)

    @property
    def mean_confidence(self) -> float | None:
        """The mean confidence; None without predictions."""
        return sum(one.confidence_sum for one in self.bins) / self.n if self.n else None

    @property
    def accuracy(self) -> float | None:
        """The accuracy; None without predictions."""
        return sum(one.correct for one in self.bins) / self.n if self.n else None

    @property
    def expected_calibration_error(self) -> float | None:
        """The expected calibration error, with bins weighted by their predictions (Guo et al., 2017)."""
        if not self.n:
            return None
        return sum(one.n * abs(one.accuracy - one.mean_confidence) for one in self.nonempty_bins) / self.n


@dataclass(frozen=True)
class CalibrationCurves:
    """Calibration of each task that predicts one class with its probability, and of all these tasks pooled."""

    tasks: Mapping[str, CalibrationCurve]

    @property
    def pooled(self) -> CalibrationCurve:
        """The predictions of all tasks pooled."""
        pooled = CalibrationCurve()
        for curve in self.tasks.values():
            pooled.merge(curve)
        return pooled


def read_calibration_curves(
    path: Path, classes: Mapping[str, Sequence[str]], task_names: Sequence[str]
) -> CalibrationCurves:
    """Read a file of predictions; one with a line per example is read line by line.

    Only labels that are classes of their task count. Masked labels, lists of labels, numbers and texts are ignored.

    Args:
        path: The predictions of a run, in any format.
        classes: Task name to its classes.
        task_names: The names of the tasks to include.

    Raises:
        MtlError: If the file cannot be read or is damaged.
    """
    if path.suffix != ".jsonl":
        return _build_curves(read_prediction_arrays(path), task_names)
    valid_labels = {name: frozenset(classes.get(name, ())) for name in task_names}
    curves: dict[str, CalibrationCurve] = {}
    with wrap_parse_errors(path):
        for record in read_json_lines(path):
            for name, entry in record["tasks"].items():
                for confidence, label, gold in _iterate_predictions(entry):
                    if gold in valid_labels.get(name, ()):
                        curves.setdefault(name, CalibrationCurve()).add(
                            _validate_confidence(confidence, path), label == gold
                        )
    return CalibrationCurves({name: curves[name] for name in task_names if name in curves})


def _build_curves(predictions: PredictionArrays, task_names: Sequence[str]) -> CalibrationCurves:
    """Build the curves of all tasks with one class per example from arrays."""
    curves: dict[str, CalibrationCurve] = {}
    for group in predictions.groups:
        if group.form != "class" or group.gold is None or group.probabilities is None:
            continue
        confidences = np.take_along_axis(group.probabilities, group.labels[:, :, np.newaxis].astype(np.int64), axis=2)
        is_scored = (group.gold >= 0) & (group.gold < group.probabilities.shape[2])
        for column, name in enumerate(group.tasks):
            rows = np.flatnonzero(is_scored[:, column])
            if len(rows):
                curves[name] = CalibrationCurve()
                is_correct = group.labels[rows, column] == group.gold[rows, column]
                curves[name].add_arrays(confidences[rows, column, 0], is_correct)
    return CalibrationCurves({name: curves[name] for name in task_names if name in curves})


def _iterate_predictions(entry: Mapping[str, Any]) -> Iterator[tuple[float, str, str]]:
    """Yield confidence, prediction and label of an example, or of each of its tokens."""
    label, gold = entry["label"], entry.get("gold")
    if isinstance(label, str) and isinstance(gold, str):
        if label in entry["probabilities"]:
            yield entry["probabilities"][label], label, gold
    elif "confidence" in entry and isinstance(gold, list) and len(gold) == len(label):
        yield from zip(entry["confidence"], label, gold, strict=True)


def _validate_confidence(confidence: float, path: Path) -> float:
    if not 0 <= confidence <= 1.000001:
        raise MtlError(f"{path}: damaged: a probability of {confidence}")
    return confidence
