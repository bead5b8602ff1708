"""A comparison's folder, read for its report."""

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
"""Kinds of variants that a page says something about."""
OVERALL = "overall"


@dataclass(frozen=True)
class ComparedTask:
    """What is measured of a task."""

    name: str
    metric: str
    higher_is_better: bool
    n: int


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference and its interval; `verdict` is `gained`, `suffered`, `noise` or `undefined`."""

    mean: float
    low: float
    high: float
    verdict: str

    @property
    def sure(self) -> bool:
        """Whether it is more than noise."""
        return self.verdict in {"gained", "suffered"}


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes:
        name: Its name.
        kind: `multi-task`, `equal`, `single-task`, `majority`, `variant` or `run`.
        settings: What is set for it.
        tasks: Task to its figure; None if it is undefined.
        overall: All tasks together; None if their figures cannot be pooled.
        delta_m: The mean relative gain over the reference in percent (Maninis et al., 2019); None for that itself.
        against_single: Task, or `overall`, to the difference from the reference.
        against_equal: The same, from equal weights; empty where that is not asked.
        parameters: Numbers that training can move.
        train_s: Seconds of training.
        inference_ms: Milliseconds an example.
        runs: Its run directories.
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
    """What `comparison.json` says, and what the runs beside it say about tasks' gradients.

    Attributes:
        experiment: The experiment's name.
        seeds: The seeds that were trained with.
        folds: Folds of the cross-validation; None without one.
        part: The part of the data that was measured on.
        examples: Its examples.
        resamples: How often examples were drawn again for the intervals.
        level: The level of the intervals, such as 0.95.
        reference: The name of the way to train that others are compared with.
        tasks: The tasks.
        variants: The ways to train.
        words: What it comes to, in sentences.
        interactions: Of the first multi-task run that has them.
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
        """What differences are from, in words."""
        single = self.of_kind(SINGLE)
        return "single-task learning" if single is not None and single.name == self.reference else self.reference

    def of_kind(self, kind: str) -> Variant | None:
        """The first variant of a kind."""
        return next((one for one in self.variants if one.kind == kind), None)


def read_comparison(path: Path) -> ComparisonFiles:
    """Read a comparison.

    Raises:
        MtlError: If there is none, or it is damaged.
    """
    file = path / FILE
    if not file.is_file():
        raise MtlError(f"{path}: not a comparison (it holds no {FILE})")
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
