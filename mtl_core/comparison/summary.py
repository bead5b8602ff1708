"""What a comparison found, as in `comparison.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mtl_core.atomic import write_text_atomically

Kind = Literal["multi-task", "equal", "single-task", "majority", "variant", "run"]
Verdict = Literal["gained", "suffered", "noise", "undefined"]

OVERALL = "overall"
"""What all tasks together are called beside the tasks."""


@dataclass(frozen=True)
class MeasuredTask:
    """How a task is measured.

    Attributes:
        metric: The figure's name.
        higher_is_better: Which way is up.
        n: Labels that it is measured on, with each seed.
    """

    metric: str
    higher_is_better: bool
    n: int


@dataclass(frozen=True)
class Estimate:
    """A figure: the mean over seeds, its interval, and the figure of each seed; None where it is undefined."""

    mean: float | None
    low: float | None
    high: float | None
    seeds: Sequence[float | None]


@dataclass(frozen=True)
class Difference:
    """How far a figure lies from that of another variant, and what that says.

    `gained` and `suffered` mean that the interval does not hold 0; `noise`, that it does.
    """

    mean: float | None
    low: float | None
    high: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Gain:
    """Delta_m: the mean over tasks of the relative gain, in percent."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class VariantSummary:
    """One way to train, and what it brought.

    Attributes:
        name: What it is called.
        kind: What it is.
        settings: What is set for it, as for `--set`.
        tasks: Name of each task to its figure.
        overall: The figure of all tasks together; None if there is none.
        delta_m: The mean relative gain over the reference, in percent; None for the reference itself.
        against_single: Task, or `overall`, to the difference from the reference: the single-task networks; None for
            the reference itself.
        against_equal: The same difference from equal weights; None where that is not asked.
        parameters: Numbers that training moves, of all its networks.
        train_s: Seconds of training, of all its networks, the mean over seeds and folds.
        inference_ms: Milliseconds of the network an example, of all its networks.
        runs: Its run directories, relative to the comparison's folder.
    """

    name: str
    kind: Kind
    settings: Sequence[str]
    tasks: Mapping[str, Estimate]
    overall: Estimate | None
    delta_m: Gain | None
    against_single: Mapping[str, Difference] | None
    against_equal: Mapping[str, Difference] | None
    parameters: int
    train_s: float
    inference_ms: float
    runs: Sequence[str]


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Attributes:
        experiment: The experiment's name.
        seeds: The seeds.
        folds: How many folds were held out in turn; None if the data's own parts were used.
        part: The part that figures are of: `test`, or `validation`.
        examples: How many examples that has.
        resamples: How often examples and seeds were drawn.
        level: The share of such intervals that hold the true figure.
        reference: The variant that the others are compared with.
        tasks: Name of each task to how it is measured.
        variants: The ways to train.
        words: What was found, in sentences.
    """

    experiment: str
    seeds: Sequence[int]
    folds: int | None
    part: str
    examples: int
    resamples: int
    level: float
    reference: str
    tasks: Mapping[str, MeasuredTask]
    variants: Sequence[VariantSummary]
    words: Sequence[str] = ()

    def named(self, name: str) -> VariantSummary:
        """One of the variants."""
        return next(variant for variant in self.variants if variant.name == name)

    def write(self, path: Path) -> None:
        """Write `comparison.json`.

        Raises:
            MtlError: If it cannot be written.
        """
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        write_text_atomically(path, text + "\n")
