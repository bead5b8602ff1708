"""Decide on the differences of a comparison. All differences of one family are tested together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.artifacts.comparison import Difference, Family, FamilyName, Kind
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.experiments.compare.compared_scores import ComparedScores, ScoreDifference
from mtl_core.statistics.verdicts import TestedDifference, decide_family

Contrast = Literal["reference", "equal weights"]


@dataclass(frozen=True)
class DifferenceKey:
    """One difference of a comparison.

    Attributes:
        variant: The name of the variant.
        contrast: What it is compared with.
        task: The name of the task, or `overall`.
    """

    variant: str
    contrast: Contrast
    task: str


def decide_differences(
    scores: ComparedScores,
    differences: Mapping[DifferenceKey, ScoreDifference],
    kinds: Mapping[str, Kind],
    margins: Mapping[str, float | None],
    is_conclusive: bool,
) -> tuple[dict[DifferenceKey, Difference], dict[FamilyName, Family]]:
    """Decide on all differences.

    Args:
        scores: The scores.
        differences: The differences.
        kinds: Name of each variant to its kind.
        margins: Task, or `overall`, to the largest difference that makes no practical difference.
        is_conclusive: Whether verdicts are possible: not with one seed of each variant.

    Returns:
        The differences with their verdicts, and the families: those of the tasks, those of the scores over all tasks,
        and those of the majority baseline, which is no method to be compared.
    """
    decided: dict[DifferenceKey, Difference] = {}
    families: dict[FamilyName, Family] = {}
    for family in ("tasks", "overall", "baseline"):
        keys = [key for key in differences if _get_family(key, kinds) == family]
        if keys:
            decided_family, families[family] = _decide_keys(scores, differences, keys, family, margins, is_conclusive)
            decided |= decided_family
    return decided, families


def _get_family(key: DifferenceKey, kinds: Mapping[str, Kind]) -> FamilyName:
    if kinds[key.variant] == "majority":
        return "baseline"
    return "overall" if key.task == OVERALL else "tasks"


def _decide_keys(
    scores: ComparedScores,
    differences: Mapping[DifferenceKey, ScoreDifference],
    keys: Sequence[DifferenceKey],
    family: FamilyName,
    margins: Mapping[str, float | None],
    is_conclusive: bool,
) -> tuple[dict[DifferenceKey, Difference], Family]:
    tested = [
        TestedDifference(
            differences[key].interval.mean,
            differences[key].variance,
            scores.is_higher_better(key.task),
            margins.get(key.task),
            differences[key].swap_p_value,
            differences[key].n_changed,
            is_conclusive,
        )
        for key in keys
    ]
    verdicts, n_tests, correction = decide_family(tested)
    decided = {
        key: Difference(
            difference.interval.mean,
            difference.interval.low,
            difference.interval.high,
            difference.seeds,
            difference.n_discordant,
            verdict.p_value,
            verdict.adjusted_p_value,
            family,
            verdict.verdict,
        )
        for key, verdict in zip(keys, verdicts, strict=True)
        for difference in [differences[key]]
    }
    return decided, Family(n_tests, correction)
