"""The content of a model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.artifacts.metrics import CalibrationError
from mtl_core.reporting.read_run import RunArtifacts
from mtl_core.reporting.task_metrics import TaskMetrics


@dataclass(frozen=True)
class ClassScores:
    """Recall and precision of one class of a task.

    Attributes:
        name: The class.
        n: Number of true labels of the class.
        predicted: Number of predictions of the class.
        correct: Number of correct predictions of the class.
    """

    name: str
    n: int
    predicted: int
    correct: int

    @property
    def recall(self) -> float | None:
        """The recall of the class; None without labels."""
        return self.correct / self.n if self.n else None

    @property
    def precision(self) -> float | None:
        """The precision of the class; None without predictions."""
        return self.correct / self.predicted if self.predicted else None


@dataclass(frozen=True)
class Card:
    """The content of a model card.

    Attributes:
        files: The files of the run, as the report reads them.
        kinds: Name of each main task to its kind.
        parts: Name and description of each component of the network and of the training.
        calibration: Kind of decision to its calibration error; empty without calibration.
        licences: Licence notes about data and pretrained weights.
    """

    files: RunArtifacts
    kinds: Mapping[str, str]
    parts: Sequence[tuple[str, str]]
    calibration: Mapping[str, CalibrationError]
    licences: Sequence[str]

    def compute_class_scores(self, task: TaskMetrics) -> list[ClassScores]:
        """Compute recall and precision per class of a task from its confusion matrix; empty without one."""
        names = self.files.classes.get(task.name, ())
        table = task.confusion
        if table is None or len(table) != len(names):
            return []
        return [
            ClassScores(name, sum(table[index]), sum(row[index] for row in table), table[index][index])
            for index, name in enumerate(names)
        ]

    def get_label_counts(self, split_name: str, task: str) -> Mapping[str, int]:
        """Return label to count of a task in a split."""
        return self.files.data.label_counts.get(split_name, {}).get(task, {})
