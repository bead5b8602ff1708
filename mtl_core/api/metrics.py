"""The metrics of a run as a table."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import OVERALL, get_baseline_key
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.optional_packages import describe_missing_packages

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MetricRow:
    """One metric of one task on one split.

    Attributes:
        split: The split: `validation` or `test`.
        task: The task, or `overall`.
        metric: The name of the metric.
        value: The value; None if it is undefined.
        baseline: The value of predicting the majority class or the mean; None if there is none.
        n: The number of labels.
    """

    split: str
    task: str
    metric: str
    value: float | None
    baseline: float | None
    n: int


class MetricTable(Mapping[tuple[str, str, str], float | None]):
    """Metrics by split, task and metric.

    Args:
        rows: One row per metric.

    Example:
        >>> table = MetricTable([MetricRow("test", "topic", "accuracy", 0.75, 0.5, 8)])
        >>> table["test", "topic", "accuracy"]
        0.75
    """

    def __init__(self, rows: list[MetricRow]) -> None:
        self.rows = rows
        self._values = {(row.split, row.task, row.metric): row.value for row in rows}

    @classmethod
    def from_json(cls, metrics: Mapping[str, Any]) -> MetricTable:
        """Build the table from the content of `metrics.json`."""
        rows: list[MetricRow] = []
        for split_name, split in metrics["splits"].items():
            entries = {**split["tasks"], **split.get("auxiliary", {}), OVERALL: split["overall"]}
            for task, entry in entries.items():
                rows += _parse_entry(split_name, task, entry)
        return cls(rows)

    def __getitem__(self, key: tuple[str, str, str]) -> float | None:
        """Return the value of a metric; None if it is undefined.

        Raises:
            MtlError: If there is no such split, task or metric; the message contains the nearest name.
        """
        if not isinstance(key, tuple) or len(key) != 3:
            raise MtlError(
                f"metrics: expected a split, a task and a metric, such as 'test', 'topic', 'accuracy'; found {key!r}"
            )
        if key in self._values:
            return self._values[key]
        for position, noun in enumerate(("split", "task", "metric")):
            known = list(dict.fromkeys(one[position] for one in self._values if one[:position] == key[:position]))
            if key[position] not in known:
                raise MtlError(
                    f"metrics: there is no {noun} '{key[position]}'{did_you_mean(str(key[position]), known)} "
                    f"({noun}s: {join_names(known)})"
                )
        raise AssertionError(key)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table with the columns split, task, metric, value, baseline and n."""
        frame: pd.DataFrame = import_pandas().DataFrame([vars(row) for row in self.rows])
        return frame

    def _summarize_rows(self) -> list[MetricRow]:
        """Return all rows; of many tasks the means over tasks, and the rows of all tasks pooled."""
        n_tasks = len({row.task for row in self.rows} - {OVERALL})
        if not has_many_tasks(n_tasks):
            return self.rows
        by_metric: dict[tuple[str, str], list[MetricRow]] = {}
        for row in self.rows:
            if row.task != OVERALL:
                by_metric.setdefault((row.split, row.metric), []).append(row)
        means = [_average(rows) for rows in by_metric.values()]
        return [*means, *(row for row in self.rows if row.task == OVERALL)]

    def __repr__(self) -> str:
        rows = self._summarize_rows()
        lines = [f"{row.split} {row.task} {row.metric}: {_format(row.value)} (n={row.n})" for row in rows]
        return "\n".join(lines) or "no metrics"

    def _repr_html_(self) -> str:
        cells = [
            [row.split, row.task, row.metric, _format(row.value), _format(row.baseline), str(row.n)]
            for row in self._summarize_rows()
        ]
        return build_html_table(["split", "task", "metric", "value", "baseline", "n"], cells)


def _average(rows: Sequence[MetricRow]) -> MetricRow:
    """Return the mean of a metric over the tasks in which it is defined."""
    defined = [row for row in rows if row.value is not None]
    values = [row.value for row in defined if row.value is not None]
    baselines = [row.baseline for row in defined if row.baseline is not None]
    return MetricRow(
        rows[0].split,
        f"mean of {len(defined)} tasks",
        rows[0].metric,
        mean(values) if values else None,
        mean(baselines) if baselines else None,
        sum(row.n for row in rows),
    )


def _parse_entry(split: str, task: str, entry: Mapping[str, Any]) -> Iterator[MetricRow]:
    """Yield the scalar metrics of a task; those with a baseline are not repeated."""
    baselines = {get_baseline_key(name, is_proportion) for name in entry for is_proportion in (True, False)}
    for name, value in entry.items():
        is_count = name in {"n", "correct"} or (name.endswith("_n") and name[:-2] in entry)
        if is_count or name in baselines or not isinstance(value, int | float | None):
            continue
        keys = [key for is_proportion in (True, False) if (key := get_baseline_key(name, is_proportion)) in entry]
        n = entry.get(f"{name}_n", entry["n"])
        yield MetricRow(split, task, name, value, entry[keys[0]] if keys else None, n)


def _format(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def build_html_table(header: list[str], rows: list[list[str]]) -> str:
    """Return an HTML table; texts are escaped."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def import_pandas() -> Any:
    """Import pandas, which only `to_frame` needs.

    Raises:
        MtlError: If it is not installed.
    """
    if message := describe_missing_packages({"pandas": "pandas"}):
        raise MtlError(f"to_frame {message}")
    import pandas

    return pandas
