"""What a model card tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.report.figures_of import TaskFigures
from mtl_core.report.run_files import RunFiles


@dataclass(frozen=True)
class ClassFigures:
    """How well one class of a task was told.

    Attributes:
        name: The class.
        n: True labels of it.
        predicted: How often it was predicted.
        right: How often both.
    """

    name: str
    n: int
    predicted: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of its labels that were found; None if there is none."""
        return self.right / self.n if self.n else None

    @property
    def precision(self) -> float | None:
        """The share of its predictions that were right; None if there is none."""
        return self.right / self.predicted if self.predicted else None


@dataclass(frozen=True)
class CalibrationFacts:
    """How far confidence and truth lay apart for one question, before and after calibration."""

    question: str
    n: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Card:
    """What a model card tells.

    Attributes:
        files: What the run's report knows.
        kinds: Main task to its kind.
        parts: What the network is made of and how it was trained: name and what it is.
        calibration: What calibration brought; empty without.
        licences: What is to be minded about data and pretrained weights.
    """

    files: RunFiles
    kinds: Mapping[str, str]
    parts: Sequence[tuple[str, str]]
    calibration: Sequence[CalibrationFacts]
    licences: Sequence[str]

    def class_figures(self, task: TaskFigures) -> list[ClassFigures]:
        """A task's classes, from its confusion matrix; empty if that was not measured."""
        names = self.files.classes.get(task.name, ())
        table = task.confusion
        if table is None or len(table) != len(names):
            return []
        return [
            ClassFigures(name, sum(table[place]), sum(row[place] for row in table), table[place][place])
            for place, name in enumerate(names)
        ]

    def labels(self, part: str, task: str) -> Mapping[str, int]:
        """Label to count of a task in a part of the data."""
        return self.files.data.label_counts.get(part, {}).get(task, {})
