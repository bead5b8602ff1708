"""Read the files of a comparison for its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.errors import MtlError
from mtl_core.report.interactions import Interactions, read_interactions
from mtl_core.report.json_files import read_json, sound
from mtl_core.runs.directory import RunDirectory

FILE = "comparison.json"
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
    def sure(self) -> bool:
        """Whether the difference is significant."""
        return self.verdict in {"gained", "suffered"}


@dataclass(frozen=True)
class Variant:
    """One variant of a comparison.

    Attributes:
        name: The name of the variant.
        kind: `multi-task`, `equal`, `single-task`, `majority`, `variant` or `run`.
        settings: The settings in which it differs from the experiment.
        tasks: Task name to the estimate of its metric; None if it is undefined.
        overall: The estimate of all tasks pooled; None if their metrics cannot be pooled.
        delta_m: Mean relative gain over the reference in percent (Maninis et al., 2019); None for the reference.
        against_single: Task name, or `overall`, to the difference from the reference.
        against_equal: Task name, or `overall`, to the difference from equal weights; empty if not compared.
        parameters: Number of trainable parameters.
        train_s: Training time in seconds.
        inference_ms: Inference time per example in milliseconds.
        runs: The run directories.
    """

    name: str
    kind: str
    settings: Sequence[str]
    tasks: Mapping[str, Estimate | None]
    overall: Estimate | None
    delta_m: Estimate | None
    against_single: Mapping[str, Difference]
    against_equal: Mapping[str, Difference]
    parameters: int | None
    train_s: float | None
    inference_ms: float | None
    runs: Sequence[str]


@dataclass(frozen=True)
class ComparisonFiles:
    """The contents of `comparison.json`, and the task interactions of one of its runs.

    Attributes:
        experiment: The name of the experiment.
        seeds: The training seeds.
        folds: Number of cross-validation folds; None without cross-validation.
        part: The name of the split that the metrics are computed on.
        examples: Number of examples in that split.
        resamples: Number of bootstrap resamples for the intervals.
        level: The level of the intervals, such as 0.95.
        reference: The name of the variant that the others are compared with.
        tasks: The tasks.
        variants: The variants.
        words: The summary, in sentences.
        interactions: The interactions of the first multi-task run that has them; None without one.
    """

    experiment: str
    seeds: Sequence[int]
    folds: int | None
    part: str
    examples: int | None
    resamples: int | None
    level: float
    reference: str
    tasks: Sequence[ComparedTask]
    variants: Sequence[Variant]
    words: Sequence[str]
    interactions: Interactions | None

    @property
    def reference_words(self) -> str:
        """The reference of the differences, as a phrase."""
        single = self.of_kind(SINGLE)
        return "single-task learning" if single is not None and single.name == self.reference else self.reference

    def of_kind(self, kind: str) -> Variant | None:
        """Return the first variant of a kind; None if there is none."""
        return next((one for one in self.variants if one.kind == kind), None)


def read_comparison(path: Path) -> ComparisonFiles:
    """Read a comparison.

    Args:
        path: The directory of the comparison.

    Raises:
        MtlError: If the directory contains no comparison, or the file is damaged.
    """
    file = path / FILE
    if not file.is_file():
        raise MtlError(f"{path}: not a comparison (it contains no {FILE})")
    found = read_json(file)
    with sound(file):
        variants = [_variant(entry) for entry in found["variants"]]
        if not variants or not found["tasks"]:
            raise ValueError("no variants, or no tasks")
        tasks = [
            ComparedTask(name, str(entry["metric"]), bool(entry["higher_is_better"]), int(entry["n"]))
            for name, entry in found["tasks"].items()
        ]
        return ComparisonFiles(
            str(found["experiment"]),
            [int(seed) for seed in found["seeds"]],
            _whole(found.get("folds")),
            str(found["part"]),
            _whole(found.get("examples")),
            _whole(found.get("resamples")),
            float(found.get("level", 0.95)),
            _reference(found, variants),
            tasks,
            variants,
            [str(text) for text in found.get("words", ())],
            _interactions(path, variants),
        )


def _variant(entry: Mapping[str, Any]) -> Variant:
    return Variant(
        str(entry["name"]),
        str(entry["kind"]),
        [str(setting) for setting in entry.get("settings") or ()],
        {task: _estimate(found) for task, found in entry["tasks"].items()},
        _estimate(entry.get("overall")),
        _estimate(entry.get("delta_m")),
        _differences(entry.get("against_single")),
        _differences(entry.get("against_equal")),
        _whole(entry.get("parameters")),
        _number(entry.get("train_s")),
        _number(entry.get("inference_ms")),
        [str(run) for run in entry.get("runs") or ()],
    )


def _estimate(entry: Mapping[str, Any] | None) -> Estimate | None:
    if entry is None or entry["mean"] is None:
        return None
    mean = float(entry["mean"])
    low, high = _number(entry.get("low")), _number(entry.get("high"))
    return Estimate(mean, mean if low is None else low, mean if high is None else high)


def _differences(entry: Mapping[str, Any] | None) -> dict[str, Difference]:
    return {task: found for task, one in (entry or {}).items() if (found := _difference(one)) is not None}


def _difference(entry: Mapping[str, Any] | None) -> Difference | None:
    estimate = _estimate(entry)
    if estimate is None or entry is None:
        return None
    return Difference(estimate.mean, estimate.low, estimate.high, str(entry.get("verdict", "noise")))


def _reference(found: Mapping[str, Any], variants: Sequence[Variant]) -> str:
    if "reference" in found:
        return str(found["reference"])
    return next((one.name for one in variants if one.kind == SINGLE), variants[0].name)


def _interactions(path: Path, variants: Sequence[Variant]) -> Interactions | None:
    runs = [run for one in variants if one.kind == MULTI for run in one.runs]
    for run in runs:
        for folder in (path / run, Path(run)):
            if (found := read_interactions(RunDirectory(folder).interactions)) is not None:
                return found
    return None


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
