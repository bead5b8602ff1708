"""The content of a model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.report.figures_of import TaskFigures
from mtl_core.report.run_files import RunFiles


@dataclass(frozen=True)
class ClassFigures:
    """Recall and precision of one class of a task.

    Attributes:
        name: The class.
        n: Number of true labels of the class.
        predicted: Number of predictions of the class.
        right: Number of correct predictions of the class.
    """

    name: str
    n: int
    predicted: int
    right: int

    @property
    def recall(self) -> float | None:
        """The recall of the class; None without labels."""
        return self.right / self.n if self.n else None

    @property
    def precision(self) -> float | None:
        """The precision of the class; None without predictions."""
        return self.right / self.predicted if self.predicted else None


@dataclass(frozen=True)
class CalibrationFacts:
    """The expected calibration error of one kind of decision, before and after calibration."""

    question: str
    n: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Card:
    """The content of a model card.

    Attributes:
        files: The files of the run, as the report reads them.
        kinds: Name of each main task to its kind.
        parts: Name and description of each component of the network and of the training.
        calibration: Calibration errors; empty without calibration.
        licences: Licence notes about data and pretrained weights.
    """

    files: RunFiles
    kinds: Mapping[str, str]
    parts: Sequence[tuple[str, str]]
    calibration: Sequence[CalibrationFacts]
    licences: Sequence[str]

    def class_figures(self, task: TaskFigures) -> list[ClassFigures]:
        """Compute recall and precision per class of a task from its confusion matrix; empty without one."""
        names = self.files.classes.get(task.name, ())
        table = task.confusion
        if table is None or len(table) != len(names):
            return []
        return [
            ClassFigures(name, sum(table[place]), sum(row[place] for row in table), table[place][place])
            for place, name in enumerate(names)
        ]

    def labels(self, part: str, task: str) -> Mapping[str, int]:
        """Return label to count of a task in a split."""
        return self.files.data.label_counts.get(part, {}).get(task, {})
