"""Read the files of a comparison for its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import read_json, wrap_parse_errors
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.errors import MtlError
from mtl_core.reporting.read_interactions import TaskInteractions, read_interactions

COMPARISON_FILE = "comparison.json"
SINGLE, MULTI, MAJORITY = "single-task", "multi-task", "majority"
"""Kinds of variants that a report treats specially."""
OVERALL = "overall"


@dataclass(frozen=True)
class ComparedTask:
    """The metric of a task."""

    name: str
    metric: str
    higher_is_better: bool
    n: int


@dataclass(frozen=True)
class Estimate:
    """The mean of a metric and its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference between two variants, its interval, and the verdict on its significance."""

    mean: float
    low: float
    high: float
    verdict: str

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant."""
        return self.verdict in {"improved", "degraded"}


@dataclass(frozen=True)
class Variant:
    """One variant of a comparison.

    Attributes:
        name: The name of the variant.
        kind: `multi-task`, `equal`, `single-task`, `majority`, `variant` or `run`.
        overrides: The settings in which it differs from the experiment.
        tasks: Task name to the estimate of its metric; None if it is undefined.
        overall: The estimate of all tasks pooled; None if their metrics cannot be pooled.
        delta_m: Mean relative gain over the reference in percent (Maninis et al., 2019); None for the reference.
        differences_from_reference: Task name, or `overall`, to the difference from the reference.
        differences_from_equal_weights: Task name, or `overall`, to the difference from equal weights; empty if not compared.
        parameters: Number of trainable parameters.
        train_s: Training time in seconds.
        inference_ms: Inference time per example in milliseconds.
        runs: The run directories.
    """

    name: str
    kind: str
    overrides: Sequence[str]
    tasks: Mapping[str, Estimate | None]
    overall: Estimate | None
    delta_m: Estimate | None
    differences_from_reference: Mapping[str, Difference]
    differences_from_equal_weights: Mapping[str, Difference]
    parameters: int | None
    train_s: float | None
    inference_ms: float | None
    runs: Sequence[str]


@dataclass(frozen=True)
class ComparisonArtifacts:
    """The contents of `comparison.json`, and the task interactions of one of its runs.

    Attributes:
        experiment: The name of the experiment.
        seeds: The training seeds.
        folds: Number of cross-validation folds; None without cross-validation.
        split_name: The name of the split that the metrics are computed on.
        examples: Number of examples in that split.
        resamples: Number of bootstrap resamples for the intervals.
        confidence_level: The level of the intervals, such as 0.95.
        reference: The name of the variant that the others are compared with.
        tasks: The tasks.
        variants: The variants.
        summary: The summary, in sentences.
        interactions: The interactions of the first multi-task run that has them; None without one.
    """

    experiment: str
    seeds: Sequence[int]
    folds: int | None
    split_name: str
    examples: int | None
    resamples: int | None
    confidence_level: float
    reference: str
    tasks: Sequence[ComparedTask]
    variants: Sequence[Variant]
    summary: Sequence[str]
    interactions: TaskInteractions | None

    @property
    def reference_phrase(self) -> str:
        """The reference of the differences, as a phrase."""
        single = self.find_variant_of_kind(SINGLE)
        return "single-task learning" if single is not None and single.name == self.reference else self.reference

    def find_variant_of_kind(self, kind: str) -> Variant | None:
        """Return the first variant of a kind; None if there is none."""
        return next((one for one in self.variants if one.kind == kind), None)


def read_comparison(path: Path) -> ComparisonArtifacts:
    """Read a comparison.

    Args:
        path: The directory of the comparison.

    Raises:
        MtlError: If the directory contains no comparison, or the file is damaged.
    """
    comparison_file = path / COMPARISON_FILE
    if not comparison_file.is_file():
        raise MtlError(f"{path}: not a comparison (it contains no {COMPARISON_FILE})")
    content = read_json(comparison_file)
    with wrap_parse_errors(comparison_file):
        variants = [_parse_variant(entry) for entry in content["variants"]]
        if not variants or not content["tasks"]:
            raise ValueError("no variants, or no tasks")
        tasks = [
            ComparedTask(name, str(entry["metric"]), bool(entry["higher_is_better"]), int(entry["n"]))
            for name, entry in content["tasks"].items()
        ]
        return ComparisonArtifacts(
            str(content["experiment"]),
            [int(seed) for seed in content["seeds"]],
            _to_optional_int(content.get("folds")),
            str(content["part"]),
            _to_optional_int(content.get("examples")),
            _to_optional_int(content.get("resamples")),
            float(content.get("level", 0.95)),
            _find_reference(content, variants),
            tasks,
            variants,
            [str(text) for text in content.get("summary", ())],
            _read_first_interactions(path, variants),
        )


def _parse_variant(entry: Mapping[str, Any]) -> Variant:
    return Variant(
        str(entry["name"]),
        str(entry["kind"]),
        [str(setting) for setting in entry.get("settings") or ()],
        {task: _parse_estimate(estimate) for task, estimate in entry["tasks"].items()},
        _parse_estimate(entry.get("overall")),
        _parse_estimate(entry.get("delta_m")),
        _parse_differences(entry.get("differences_from_reference")),
        _parse_differences(entry.get("differences_from_equal_weights")),
        _to_optional_int(entry.get("parameters")),
        _to_optional_float(entry.get("train_s")),
        _to_optional_float(entry.get("inference_ms")),
        [str(run) for run in entry.get("runs") or ()],
    )


def _parse_estimate(entry: Mapping[str, Any] | None) -> Estimate | None:
    if entry is None or entry["mean"] is None:
        return None
    mean = float(entry["mean"])
    low, high = _to_optional_float(entry.get("low")), _to_optional_float(entry.get("high"))
    return Estimate(mean, mean if low is None else low, mean if high is None else high)


def _parse_differences(entry: Mapping[str, Any] | None) -> dict[str, Difference]:
    return {
        task: difference
        for task, one in (entry or {}).items()
        if (difference := _parse_difference(one)) is not None
    }


def _parse_difference(entry: Mapping[str, Any] | None) -> Difference | None:
    estimate = _parse_estimate(entry)
    if estimate is None or entry is None:
        return None
    return Difference(estimate.mean, estimate.low, estimate.high, str(entry.get("verdict", "not significant")))


def _find_reference(content: Mapping[str, Any], variants: Sequence[Variant]) -> str:
    if "reference" in content:
        return str(content["reference"])
    return next((one.name for one in variants if one.kind == SINGLE), variants[0].name)


def _read_first_interactions(path: Path, variants: Sequence[Variant]) -> TaskInteractions | None:
    runs = [run for one in variants if one.kind == MULTI for run in one.runs]
    for run in runs:
        for folder in (path / run, Path(run)):
            if (interactions := read_interactions(RunDirectory(folder).interactions)) is not None:
                return interactions
    return None


def _to_optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


def _to_optional_float(value: Any) -> float | None:
    return None if value is None else float(value)
