"""Summarize a comparison in sentences: the differences, and what the intervals cover."""

from collections.abc import Iterator, Mapping, Sequence

from mtl_core.comparison.summary import OVERALL, Comparison, Difference, Gain, VariantSummary
from mtl_core.errors import listed

TOO_FEW = {
    2: "with 2 seeds, intervals contain the true value too rarely where seeds differ (86 % in simulations): use 5",
    3: "with 3 seeds, intervals contain the true value too rarely where seeds differ (92 % in simulations): use 5",
    4: "more seeds make them narrower and more reliable",
}


def words_of(comparison: Comparison, notices: Sequence[str] = ()) -> list[str]:
    """Return sentences: which tasks improved or degraded, which differences are not significant, and the limits.

    Args:
        comparison: The comparison.
        notices: The disclaimers of the data.
    """
    told = [f"Note: {notice}." for notice in notices]
    for variant in comparison.variants:
        if variant.against_single is not None and variant.kind != "majority":
            told.append(_against_reference(comparison, variant, variant.against_single))
            if variant.against_equal is not None:
                told.append(_against_equal(comparison, variant, variant.against_equal))
    return [*told, *_below_majority(comparison), *_undefined(comparison), *_how_sure(comparison)]


def number(value: float) -> str:
    """Format a score for display."""
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def change(difference: Difference) -> str:
    """Format a difference with its interval."""
    if difference.mean is None or difference.low is None or difference.high is None:
        return "undefined"
    sizes = [abs(value) for value in (difference.mean, difference.low, difference.high)]
    form = "+.4f" if max(sizes) < 1000 else "+,.1f"
    return f"{difference.mean:{form}} ({difference.low:{form}} to {difference.high:{form}})"


def percent(gain: Gain) -> str:
    """Format Delta_m with its interval, in percent."""
    if gain.mean is None or gain.low is None or gain.high is None:
        return "undefined"
    return f"{gain.mean:+.1f} % ({gain.low:+.1f} to {gain.high:+.1f})"


def _against_reference(
    comparison: Comparison, variant: VariantSummary, differences: Mapping[str, Difference]
) -> str:
    """Return a sentence that groups the tasks by the verdict of their difference."""
    single = comparison.reference == "single-task"
    suffered = "degraded (negative transfer)" if single else "degraded"
    parts = [f"mean relative gain {percent(variant.delta_m)}"] if variant.delta_m is not None else []
    for verdict, word in (("gained", "improved"), ("suffered", suffered)):
        names = [name for name in comparison.tasks if differences[name].verdict == verdict]
        if names:
            parts.append(f"{word}: " + ", ".join(f"{name} {change(differences[name])}" for name in names))
    noise = [name for name in comparison.tasks if differences[name].verdict == "noise"]
    if noise:
        parts.append(f"not significant: {listed(noise)}")
    if OVERALL in differences:
        parts.append(f"overall {change(differences[OVERALL])}, {_judged(differences[OVERALL])}")
    return f"{variant.name} against {comparison.reference}: {'; '.join(parts)}."


def _judged(difference: Difference) -> str:
    words = {"gained": "improved", "suffered": "degraded", "noise": "not significant", "undefined": "undefined"}
    return words[difference.verdict]


def _against_equal(comparison: Comparison, variant: VariantSummary, differences: Mapping[str, Difference]) -> str:
    """Return a sentence on the differences of a variant from equal weights."""
    base = "equal weights" if any(one.name == "equal weights" for one in comparison.variants) else "multi-task"
    better = [name for name, difference in differences.items() if difference.verdict == "gained"]
    worse = [name for name, difference in differences.items() if difference.verdict == "suffered"]
    if not better and not worse:
        return f"{variant.name} against {base}: no significant difference."
    parts = [
        f"{word}: " + ", ".join(f"{name} {change(differences[name])}" for name in names)
        for word, names in (("better", better), ("worse", worse))
        if names
    ]
    return f"{variant.name} against {base}: {'; '.join(parts)}; the other differences are not significant."


def _below_majority(comparison: Comparison) -> Iterator[str]:
    """Yield a sentence per task on which no variant beats the majority baseline: gains there mean little."""
    majority = next((one for one in comparison.variants if one.kind == "majority"), None)
    if majority is None:
        return
    trained = [one for one in comparison.variants if one.kind != "majority"]
    for name, task in comparison.tasks.items():
        base = majority.tasks[name].mean
        means = [mean for one in trained if (mean := one.tasks[name].mean) is not None]
        if base is None or not means:
            continue
        best = max(means) if task.higher_is_better else min(means)
        if best <= base if task.higher_is_better else best >= base:
            yield f"{name}: no variant is better than the baseline that ignores the input ({number(base)})."


def _undefined(comparison: Comparison) -> Iterator[str]:
    for name, task in comparison.tasks.items():
        if any(one.tasks[name].mean is None for one in comparison.variants):
            yield f"{name}: {task.metric} is undefined ({task.n} labels) and excluded from every mean."


def _how_sure(comparison: Comparison) -> Iterator[str]:
    """Yield sentences on what the intervals cover, and on how many differences chance alone explains."""
    seeds, examples = len(comparison.seeds), f"{comparison.examples:,} {comparison.part} examples"
    share = f"{100 * comparison.level:g} % intervals"
    if comparison.variants[0].kind == "run":
        yield f"{share} cover variation over examples ({examples}) but not over seeds: each run has one seed."
    elif seeds == 1:
        yield f"{share} cover variation over examples ({examples}) but not over seeds: there is one. Use --seeds 5."
    else:
        held = f", each held out once in {comparison.folds} folds" if comparison.folds else ""
        few = f"; {TOO_FEW[seeds]}" if seeds in TOO_FEW else ""
        yield f"{share} cover variation over seeds ({seeds}) and over examples ({examples}{held}){few}."
    compared = [one for one in comparison.variants if one.against_single is not None and one.kind != "majority"]
    families = [one.against_single for one in compared] + [one.against_equal for one in compared]
    count = len(comparison.tasks) * sum(family is not None for family in families)
    yield (
        f"{count} differences of single tasks were tested; if none were real, about "
        f"{count * (1 - comparison.level):.1g} of them would still appear significant."
    )
    if comparison.part == "validation":
        yield (
            "The scores are from validation data, which also selected each network's epoch, and are optimistic; "
            "a test split or --folds gives unbiased ones."
        )
