"""A comparison of many tasks in a few numbers: how many tasks improved, and which differences are largest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.artifacts.comparison import Comparison, Difference, VariantSummary
from mtl_core.statistics.verdicts import Verdict

VERDICTS: tuple[Verdict, ...] = ("improved", "degraded", "practically equal", "not resolved", "undefined")
N_RANKED = 10
"""Number of tasks with the largest improvements, and with the largest degradations, that are listed."""


@dataclass(frozen=True)
class RankedDifference:
    """The difference of one task.

    Attributes:
        task: The task.
        difference: The difference from the reference.
    """

    task: str
    difference: Difference


@dataclass(frozen=True)
class DifferenceSummary:
    """The differences of a variant from the reference over the tasks.

    Attributes:
        counts: Verdict to number of tasks.
        improvements: The tasks with the largest differences for the better, the largest first.
        degradations: The tasks with the largest differences for the worse, the largest first.
    """

    counts: dict[Verdict, int]
    improvements: Sequence[RankedDifference]
    degradations: Sequence[RankedDifference]


def summarize_differences(comparison: Comparison, variant: VariantSummary) -> DifferenceSummary | None:
    """Summarize the differences of a variant from the reference; None for the reference itself.

    Differences of different metrics are ranked together by their size, relative to the score of the reference.
    """
    if variant.differences_from_reference is None:
        return None
    differences = {task: variant.differences_from_reference[task] for task in comparison.tasks}
    verdict_counts = Counter(difference.verdict for difference in differences.values())
    gains = {
        task: gain
        for task, difference in differences.items()
        if (gain := _compute_gain(comparison, task, difference)) is not None
    }
    ranked = sorted(gains, key=lambda task: -gains[task])
    improvements = [task for task in ranked if gains[task] > 0][:N_RANKED]
    degradations = [task for task in reversed(ranked) if gains[task] < 0][:N_RANKED]
    return DifferenceSummary(
        {verdict: verdict_counts[verdict] for verdict in VERDICTS},
        [RankedDifference(task, differences[task]) for task in improvements],
        [RankedDifference(task, differences[task]) for task in degradations],
    )


def _compute_gain(comparison: Comparison, task: str, difference: Difference) -> float | None:
    """Return a difference with the sign of an improvement, relative to the reference if metrics differ."""
    if difference.mean is None:
        return None
    measured = comparison.tasks[task]
    gain = difference.mean if measured.higher_is_better else -difference.mean
    has_one_metric = len({one.metric for one in comparison.tasks.values()}) == 1
    if has_one_metric and measured.higher_is_better:
        return gain
    reference = next(one for one in comparison.variants if one.name == comparison.reference)
    mean = reference.tasks[task].mean
    return gain / abs(mean) if mean else gain


def describe_counts(summary: DifferenceSummary) -> str:
    """Format the number of tasks per verdict: `improved 120, degraded 14, practically equal 88, not resolved 395`."""
    return ", ".join(
        f"{verdict} {count:,}" for verdict, count in summary.counts.items() if count or verdict != "undefined"
    )
