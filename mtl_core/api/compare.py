"""Comparison of a multi-task model with single-task networks and other variants, from Python."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mtl_core.api.data import Data
from mtl_core.api.metrics import build_html_table, import_pandas
from mtl_core.api.model import Model
from mtl_core.api.report import Report
from mtl_core.artifacts.comparison import PLAN_FILE, Difference
from mtl_core.artifacts.comparison import Comparison as ComparisonResult
from mtl_core.config.load import check_inputs
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.compare_runs import compare_plan
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.experiments.compare.plan import build_plan
from mtl_core.experiments.compare.result_files import write_comparison
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection
from mtl_core.experiments.compare.train_plan import train_plan
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.experiments.trials import reserve_trials_folder
from mtl_core.plugins.active_registry import use_registry
from mtl_core.reporting.write import write_comparison_report

if TYPE_CHECKING:
    import pandas as pd


class Comparison:
    """The scores of all variants with confidence intervals, and verdicts on their differences.

    Args:
        path: The directory of the comparison.
        result: The result, as in `comparison.json`.
    """

    def __init__(self, path: Path, result: ComparisonResult) -> None:
        self.path = path
        self.result = result
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def summary(self) -> Sequence[str]:
        """What the comparison shows, as sentences."""
        return self.result.summary

    def verdict(self, task: str, variant: str = "multi-task") -> str:
        """Return the verdict on a variant against single-task networks, for one task.

        Args:
            task: The task, or `overall`.
            variant: The variant.

        Returns:
            `improved`, `degraded`, `practically equal`, `not resolved` or `undefined`.

        Raises:
            MtlError: If there is no such task or variant.
        """
        for row in self._build_rows():
            if (row["task"], row["variant"]) == (task, variant):
                return str(row["verdict"])
        variants = ", ".join(variant.name for variant in self.result.variants)
        raise MtlError(
            f"no verdict on the variant '{variant}' for the task '{task}' (variants: {variants}; tasks: "
            f"{', '.join(self.result.tasks)})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table with one row per task and variant.

        The columns are task, variant, metric, mean, low and high (the confidence interval), difference, difference_low,
        difference_high, p_value (adjusted) and verdict; differences are from the single-task networks.
        """
        frame: pd.DataFrame = import_pandas().DataFrame(self._build_rows())
        return frame

    def report(self) -> Report:
        """Write the HTML report with its figures. The result shows itself in a notebook."""
        return Report(write_comparison_report(self.path)[0])

    def _build_rows(self) -> list[dict[str, Any]]:
        rows = []
        for task, measured in self.result.tasks.items():
            for variant in self.result.variants:
                estimate = variant.tasks[task]
                difference = (variant.differences_from_reference or {}).get(task)
                rows.append(
                    {
                        "task": task,
                        "variant": variant.name,
                        "metric": measured.metric,
                        "mean": estimate.mean,
                        "low": estimate.low,
                        "high": estimate.high,
                        **_describe_difference(difference),
                    }
                )
        return rows

    def __repr__(self) -> str:
        return "\n".join(self.summary)

    def _repr_html_(self) -> str:
        rows = self._build_rows()
        header = list(rows[0])
        cells = [[_format_cell(row[name]) for name in header] for row in rows]
        return build_html_table(header, cells)


def _describe_difference(difference: Difference | None) -> dict[str, Any]:
    names = ("difference", "difference_low", "difference_high", "p_value", "verdict")
    if difference is None:
        return dict.fromkeys(names)
    values = (difference.mean, difference.low, difference.high, difference.adjusted_p_value, difference.verdict)
    return dict(zip(names, values, strict=True))


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def compare(
    model: Model,
    data: Data | None = None,
    *,
    seeds: int = 5,
    folds: int | None = None,
    variants: Sequence[str] = (),
    margins: Mapping[str, float] | float | None = None,
    single: Sequence[str] = (),
    single_sample: int | None = None,
    batched: bool | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Comparison:
    """Train a model with several seeds, and compare it with one network per task and with other variants.

    Each training computes in one thread, one after the other, so scores do not depend on the machine's cores.

    Args:
        model: The model, with two tasks or more.
        data: The data; None for a model from YAML.
        seeds: Number of seeds, counted up from `seed`.
        folds: Number of folds of a cross-validation; None uses the data's own split.
        variants: Further variants, such as `weighting=uncertainty,pcgrad`; each value is one variant.
        margins: The largest difference that makes no practical difference: one for all tasks, or by task.
        single: The tasks to compare: names, and patterns such as `ACEA_*`; all by default. The model still trains all
            tasks.
        single_sample: Number of tasks to compare, drawn by the seed.
        batched: Whether single-task networks are trained at once, or in a run each; None trains them at once for more
            than 20 tasks, where possible.
        epochs: As in `Model.fit`.
        patience: As in `Model.fit`.
        batch_size: As in `Model.fit`.
        seed: The first seed.
        out: The output directory; an existing one is continued. By default a temporary one.
        progress: Whether to show progress.

    Raises:
        MtlError: If the model has one task only, or an argument is invalid.
    """
    if not isinstance(model, Model):
        raise MtlError(f"compare: expected mtl.Model, found {model!r}")
    for name, value in {"variants": variants, "single": single}.items():
        if isinstance(value, str):
            raise MtlError(f"{name}: expected a list such as ['{value}'], found one text")
    source = model.build_experiment(data, epochs=epochs, patience=patience, batch_size=batch_size, seed=seed)
    parsed_margins = parse_margins(_format_margins(margins))
    base = source.load()
    check_inputs(base)
    temporary = tempfile.TemporaryDirectory(prefix="mtl-comparison-") if out is None else None
    path = Path(temporary.name) / base.config.name if temporary is not None else Path(str(out))
    with use_registry(base.registry):
        selection = SingleTaskSelection(single, single_sample, batched)
        plan = build_plan(source, [], base, seeds, folds, variants, path, selection)
        reserve_trials_folder(path / PLAN_FILE, base.config, plan.trials, "comparison")
        with lock_folder(path):
            train_plan(source, plan, 1, Console(stderr=True, quiet=not progress))
        comparison = Comparison(path, compare_plan(plan, parsed_margins))
    comparison._temporary = temporary
    write_comparison(comparison.result, path)
    if out is not None:
        comparison.report()
    return comparison


def _format_margins(margins: Mapping[str, float] | float | None) -> list[str]:
    if margins is None:
        return []
    if isinstance(margins, Mapping):
        return [f"{task}={margin}" for task, margin in margins.items()]
    return [str(margins)]
