"""The result of a comparison, as stored in `comparison.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mtl_core.artifacts.json_files import dump_json, parse_schema, read_json
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError
from mtl_core.statistics.multiple_testing import Correction
from mtl_core.statistics.verdicts import Verdict

COMPARISON_FILE = "comparison.json"
PLAN_FILE = "comparison.plan.json"
"""The plan of a comparison of variants, in its output directory."""

Kind = Literal["multi-task", "equal", "single-task", "majority", "variant", "run"]
FamilyName = Literal["tasks", "overall", "baseline"]

VERDICT_MARKS: Mapping[Verdict, str] = {
    "improved": "▲",
    "degraded": "▼",
    "practically equal": "=",
    "not resolved": "",
    "undefined": "",
}
"""Marks of verdicts in tables."""


@dataclass(frozen=True)
class MeasuredTask:
    """The metric of a task.

    Attributes:
        metric: The name of the metric.
        higher_is_better: Whether higher values are better.
        n: Number of labels that it is computed on, per seed.
        margin: The largest difference between two scores that makes no practical difference.
    """

    metric: str
    higher_is_better: bool
    n: int
    margin: float


class DefinedInterval(NamedTuple):
    """A mean, and the lower and upper end of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: The mean; None if it is undefined.
        low: The lower end of the interval; None if it is undefined.
        high: The upper end of the interval; None if it is undefined.
    """

    mean: float | None
    low: float | None
    high: float | None

    @property
    def defined(self) -> DefinedInterval | None:
        """The numbers if the mean is defined, else None; an undefined end is replaced by the mean."""
        if self.mean is None:
            return None
        low, high = (self.mean if end is None else end for end in (self.low, self.high))
        return DefinedInterval(self.mean, low, high)


@dataclass(frozen=True)
class Estimate(Interval):
    """A score: the mean over seeds, its interval, and the score of each seed; None where it is undefined."""

    seeds: Sequence[float | None]


@dataclass(frozen=True)
class Difference(Interval):
    """The difference between the scores of two variants, with its verdict.

    Attributes:
        seeds: The difference per seed; None where it is undefined.
        discordant: Number of examples that the two variants answer differently with any seed.
        p_value: The p-value of no difference; None if it is unknown.
        adjusted_p_value: The p-value, adjusted for the number of differences in its family.
        family: The family of differences that it is tested in.
        verdict: The verdict on the difference.
    """

    seeds: Sequence[float | None]
    discordant: int
    p_value: float | None
    adjusted_p_value: float | None
    family: FamilyName
    verdict: Verdict

    @property
    def is_significant(self) -> bool:
        """Whether the verdict is `improved` or `degraded`."""
        return self.verdict in {"improved", "degraded"}


@dataclass(frozen=True)
class Family:
    """A family of differences whose p-values are adjusted together.

    Attributes:
        size: Number of tested differences.
        correction: The correction for their number.
    """

    size: int
    correction: Correction


@dataclass(frozen=True)
class DeltaM(Interval):
    """Delta_m: the mean over tasks of the relative gain, in percent (Maninis et al., 2019)."""


@dataclass(frozen=True)
class VariantSummary:
    """The results and costs of a variant. Costs are sums over its networks.

    Attributes:
        name: Its name.
        kind: Its kind.
        overrides: Its overrides, as for `--set`.
        tasks: Name of each task to its score.
        overall: The score over all tasks; None if there is none.
        delta_m: The mean relative gain over the reference, in percent; None for the reference itself.
        differences_from_reference: Task, or `overall`, to the difference from the reference; None for the reference
            itself.
        differences_from_equal_weights: Task, or `overall`, to the difference from equal weights; None where it does
            not apply.
        parameters: Number of trained parameters, the median over seeds and folds.
        train_s: Training time in seconds, the median over seeds and folds.
        inference_ms: Inference time per example in milliseconds, the median over seeds and folds.
        runs: Its run directories, relative to the output directory of the comparison.
        mean_difference: The mean over tasks of the difference from the reference, every task counted once; None for
            the reference itself, and if tasks have different metrics.
    """

    name: str
    kind: Kind
    overrides: Sequence[str]
    tasks: Mapping[str, Estimate]
    overall: Estimate | None
    delta_m: DeltaM | None
    differences_from_reference: Mapping[str, Difference] | None
    differences_from_equal_weights: Mapping[str, Difference] | None
    parameters: int
    train_s: float
    inference_ms: float
    runs: Sequence[str]
    mean_difference: Interval | None = None


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        experiment: The experiment's name.
        seeds: The seeds.
        folds: Number of folds of the cross-validation; None for the experiment's own split.
        split_name: The split that was scored: `test` or `validation`.
        examples: Number of examples of that split.
        confidence_level: The confidence level of the intervals.
        reference: The name of the variant that all variants are compared with.
        tasks: Name of each task to its metric.
        variants: The variants.
        families: Family of differences to its size and correction.
        summary: The summary, as sentences.
    """

    experiment: str
    seeds: Sequence[int]
    folds: int | None
    split_name: str
    examples: int
    confidence_level: float
    reference: str
    tasks: Mapping[str, MeasuredTask]
    variants: Sequence[VariantSummary]
    families: Mapping[FamilyName, Family]
    summary: Sequence[str] = ()

    def write(self, path: Path) -> None:
        """Write `comparison.json`.

        Raises:
            MtlError: If it cannot be written.
        """
        write_text_atomically(path, dump_json(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Comparison":
        """Read `comparison.json`.

        Raises:
            MtlError: If the file cannot be read or is damaged.
        """
        comparison = parse_schema(cls, read_json(path), path)
        if not comparison.variants or not comparison.tasks:
            raise MtlError(f"{path}: damaged: no variants, or no tasks")
        return comparison
