"""The training history of a run, as stored in `history.csv`."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from mtl_core.artifacts.json_files import read_text, wrap_parse_errors
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import MEAN

STAGES = ("selection", "refit")


@dataclass(frozen=True)
class EpochRecord:
    """Results of an epoch: one row of `history.csv`.

    Attributes:
        epoch: The epoch, counted from 1.
        learning_rate: The learning rate of the last step of the epoch.
        losses: Mapping of task name to mean training loss per label; None for a task without labels.
        weights: Mapping of task name to the mean weight of its loss over the steps with a label for it; None for a
            task without labels, or if the weighting balances gradients instead of losses.
        validation: Mapping of metric name to value (`overall.accuracy`, `food.accuracy`); None if undefined.
        score: The metric that selects the best epoch; None without validation data. The file does not contain it.
    """

    epoch: int
    learning_rate: float
    losses: Mapping[str, float | None]
    validation: Mapping[str, float | None] = field(default_factory=dict)
    score: float | None = None
    weights: Mapping[str, float | None] = field(default_factory=dict)

    def to_row(self) -> dict[str, float | int | None]:
        """Return the record as a flat mapping of column to value; of many tasks, it contains the means only."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            **{f"train.{task}.loss": value for task, value in _summarize_tasks(self.losses).items()},
            **{f"train.{task}.weight": value for task, value in _summarize_tasks(self.weights).items()},
            **{f"validation.{name}": value for name, value in self.validation.items()},
        }

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "EpochRecord":
        """Return the record of a mapping of column to cell.

        Raises:
            KeyError, TypeError, ValueError: If a cell is missing or is not a number.
        """

        def select_columns(prefix: str, suffix: str = "") -> dict[str, float | None]:
            return {
                column.removeprefix(prefix).removesuffix(suffix): float(cell) if cell else None
                for column, cell in row.items()
                if column.startswith(prefix) and column.endswith(suffix)
            }

        return cls(
            int(row["epoch"]),
            float(row["learning_rate"]),
            losses=select_columns("train.", ".loss"),
            weights=select_columns("train.", ".weight"),
            validation=select_columns("validation."),
        )


def _summarize_tasks(values: Mapping[str, float | None]) -> Mapping[str, float | None]:
    """Return the values of few tasks as they are, and the mean of those of many tasks, where defined."""
    if not has_many_tasks(len(values)):
        return values
    known = [value for value in values.values() if value is not None]
    return {MEAN: sum(known) / len(known) if known else None}


@dataclass(frozen=True)
class History:
    """The epochs of the training that selects the epoch, and of the refit; the latter are empty without a refit."""

    selection: Sequence[EpochRecord]
    refit: Sequence[EpochRecord] = ()

    def format_csv(self) -> str:
        """Format the history as CSV: one line per epoch, empty cells for undefined values."""
        rows = [{"stage": stage, **record.to_row()} for stage in STAGES for record in getattr(self, stage)]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read `history.csv`.

        Raises:
            MtlError: If the file cannot be read or is damaged.
        """
        with wrap_parse_errors(path):
            rows = list(csv.DictReader(StringIO(read_text(path))))
            return cls(*([EpochRecord.from_row(row) for row in rows if row["stage"] == stage] for stage in STAGES))
