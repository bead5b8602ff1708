"""Format the scores of a comparison for display."""

from collections.abc import Iterator

from mtl_core.artifacts.comparison import Comparison, DeltaM, Difference, Estimate, Interval, VariantSummary
from mtl_core.artifacts.metrics import OVERALL


def format_difference(difference: Difference) -> str:
    """Format a difference with its interval."""
    return format_interval(difference)


def format_interval(difference: Interval) -> str:
    """Format the mean and the interval of differences."""
    if difference.mean is None or difference.low is None or difference.high is None:
        return "undefined"
    sizes = [abs(value) for value in (difference.mean, difference.low, difference.high)]
    format_spec = "+.4f" if max(sizes) < 1000 else "+,.1f"
    return f"{difference.mean:{format_spec}} ({difference.low:{format_spec}} to {difference.high:{format_spec}})"


def format_delta_m(delta_m: DeltaM) -> str:
    """Format Delta_m with its interval, in percent."""
    if delta_m.mean is None or delta_m.low is None or delta_m.high is None:
        return "undefined"
    return f"{delta_m.mean:+.1f} % ({delta_m.low:+.1f} to {delta_m.high:+.1f})"


def group_by_task(comparison: Comparison) -> Iterator[tuple[str, list[tuple[VariantSummary, Estimate]]]]:
    """Yield each task, and `overall` if that score exists, with each variant and its score."""
    for task in comparison.tasks:
        yield task, [(variant, variant.tasks[task]) for variant in comparison.variants]
    with_overall = [(variant, variant.overall) for variant in comparison.variants if variant.overall is not None]
    if with_overall:
        yield OVERALL, with_overall
