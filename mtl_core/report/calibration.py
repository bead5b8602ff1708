"""Calibration: how well the confidence of predictions matches their accuracy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtl_core.errors import MtlError
from mtl_core.report.json_files import json_lines, sound

BINS = 10
"""Number of bins of equal width from 0 to 1."""


@dataclass
class Bin:
    """The predictions whose confidence is in one bin."""

    n: int = 0
    correct: int = 0
    total: float = 0.0

    @property
    def confidence(self) -> float:
        """The mean confidence; requires at least one prediction."""
        return self.total / self.n

    @property
    def accuracy(self) -> float:
        """The accuracy; requires at least one prediction."""
        return self.correct / self.n


@dataclass
class Calibration:
    """Confidence and accuracy per bin: a reliability diagram (DeGroot and Fienberg, 1983)."""

    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])

    def add(self, confidence: float, correct: bool) -> None:
        """Add one prediction: the probability of the predicted class, and whether the class is correct.

        A confidence on the border between two bins belongs to the upper bin; 1 belongs to the last bin.
        """
        home = self.bins[min(int(confidence * BINS), BINS - 1)]
        home.n += 1
        home.correct += correct
        home.total += confidence

    def merge(self, other: "Calibration") -> None:
        """Add all predictions of another instance."""
        for own, more in zip(self.bins, other.bins, strict=True):
            own.n += more.n
            own.correct += more.correct
            own.total += more.total

    @property
    def filled(self) -> list[Bin]:
        """The bins with at least one prediction."""
        return [one for one in self.bins if one.n]

    @property
    def n(self) -> int:
        """The number of predictions."""
        return sum(one.n for one in self.bins)

    @property
    def confidence(self) -> float | None:
        """The mean confidence; None without predictions."""
        return sum(one.total for one in self.bins) / self.n if self.n else None

    @property
    def accuracy(self) -> float | None:
        """The accuracy; None without predictions."""
        return sum(one.correct for one in self.bins) / self.n if self.n else None

    @property
    def error(self) -> float | None:
        """The expected calibration error, with bins weighted by their predictions (Guo et al., 2017)."""
        if not self.n:
            return None
        return sum(one.n * abs(one.accuracy - one.confidence) for one in self.filled) / self.n


@dataclass(frozen=True)
class Calibrations:
    """Calibration of each task that predicts one class with its probability, and of all these tasks pooled."""

    tasks: Mapping[str, Calibration]

    @property
    def pooled(self) -> Calibration:
        """The predictions of all tasks pooled."""
        together = Calibration()
        for one in self.tasks.values():
            together.merge(one)
        return together


def read_calibrations(path: Path, classes: Mapping[str, Sequence[str]], main: Sequence[str]) -> Calibrations:
    """Read a file of predictions line by line.

    Only labels that are classes of their task count. Masked labels, lists of labels, numbers and texts are ignored.

    Args:
        path: The `predictions.jsonl` of a run.
        classes: Task name to its classes.
        main: The names of the tasks to include.

    Raises:
        MtlError: If the file cannot be read or is damaged.
    """
    known = {name: frozenset(classes.get(name, ())) for name in main}
    found: dict[str, Calibration] = {}
    with sound(path):
        for record in json_lines(path):
            for name, entry in record["tasks"].items():
                for confidence, label, gold in _answers(entry):
                    if gold in known.get(name, ()):
                        found.setdefault(name, Calibration()).add(_checked(confidence, path), label == gold)
    return Calibrations({name: found[name] for name in main if name in found})


def _answers(entry: Mapping[str, Any]) -> Iterator[tuple[float, str, str]]:
    """Yield confidence, prediction and label of an example, or of each of its tokens."""
    label, gold = entry["label"], entry.get("gold")
    if isinstance(label, str) and isinstance(gold, str):
        if label in entry["probabilities"]:
            yield entry["probabilities"][label], label, gold
    elif "confidence" in entry and isinstance(gold, list) and len(gold) == len(label):
        yield from zip(entry["confidence"], label, gold, strict=True)


def _checked(confidence: float, path: Path) -> float:
    if not 0 <= confidence <= 1.000001:
        raise MtlError(f"{path}: damaged: a probability of {confidence}")
    return confidence
