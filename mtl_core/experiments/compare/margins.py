"""The margins of a comparison: the largest differences that make no practical difference."""

from collections.abc import Mapping, Sequence

from mtl_core.artifacts.comparison import MeasuredTask
from mtl_core.errors import MtlError, did_you_mean

DEFAULT_MARGIN = 0.01
"""The default margin: one point of a score (Benavoli et al., 2017), or 1 % of the reference's error.

Reference: A. Benavoli et al.: Time for a Change: a Tutorial for Comparing Multiple Classifiers Through Bayesian
Analysis. JMLR 18, 2017.
"""


def parse_margins(texts: Sequence[str]) -> dict[str, float]:
    """Parse margins.

    Args:
        texts: `NUMBER` for all tasks, or `TASK=NUMBER`.

    Returns:
        Task to margin; the margin of all other tasks has the key `""`.

    Raises:
        MtlError: If a text is invalid.
    """
    margins: dict[str, float] = {}
    for text in texts:
        task, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise MtlError(f"--margin {text}: expected a number of 0 or more, such as 0.01, or TASK=NUMBER")
        if task in margins:
            raise MtlError(f"--margin {text}: given twice{f' for {task}' if task else ''}")
        margins[task] = value
    return margins


def resolve_margins(
    margins: Mapping[str, float], reference_means: Mapping[str, float | None], higher_is_better: Mapping[str, bool]
) -> dict[str, float]:
    """Return the margin of each task.

    Args:
        margins: The result of `parse_margins`.
        reference_means: Task to the score of the reference.
        higher_is_better: Task to whether higher scores are better.

    Raises:
        MtlError: If a margin names no task.
    """
    unknown = next((name for name in margins if name and name not in reference_means), None)
    if unknown is not None:
        raise MtlError(
            f"--margin {unknown}={margins[unknown]:g}: there is no task '{unknown}'"
            f"{did_you_mean(unknown, reference_means)}"
        )
    resolved = {}
    for task, mean in reference_means.items():
        default = DEFAULT_MARGIN if higher_is_better[task] else DEFAULT_MARGIN * abs(mean or 0.0)
        resolved[task] = margins.get(task, margins.get("", default))
    return resolved


def resolve_overall_margin(tasks: Mapping[str, MeasuredTask]) -> float | None:
    """Return the margin of the score over all tasks: the smallest one; None if their metrics differ."""
    has_one_metric = len({task.metric for task in tasks.values()}) == 1
    return min(task.margin for task in tasks.values()) if has_one_metric else None
