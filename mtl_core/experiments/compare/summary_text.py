"""Summarize a comparison in sentences: the differences, and what the intervals cover."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mtl_core.artifacts.comparison import Comparison, Difference, FamilyName, VariantSummary
from mtl_core.artifacts.comparison_summary import describe_counts, summarize_differences
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.errors import join_names
from mtl_core.experiments.compare.formatting import format_delta_m, format_difference, format_interval
from mtl_core.experiments.compare.run_outputs import RunOutputs
from mtl_core.reporting.formatting import format_metric, pluralize
from mtl_core.statistics.multiple_testing import CORRECTION_NAMES

RECOMMENDED_SEEDS = 5
MAX_NAMES = 5
"""Maximum number of tasks in a sentence on many tasks."""
FAMILY_NAMES: Mapping[FamilyName, str] = {
    "tasks": "of single tasks",
    "overall": "of the score over all tasks",
    "baseline": "of the majority baseline",
}


def collect_disclaimers(runs: Iterable[RunOutputs]) -> list[str]:
    """Return the different disclaimers of the data of runs."""
    return list(dict.fromkeys(run.disclaimer for run in runs if run.disclaimer))


def summarize(comparison: Comparison, disclaimers: Sequence[str] = ()) -> list[str]:
    """Return sentences: which tasks improved or degraded, which are practically equal or not resolved, and the limits.

    Args:
        comparison: The comparison.
        disclaimers: The disclaimers of the data.
    """
    notes = [f"Note: {disclaimer}." for disclaimer in disclaimers]
    return [*notes, *describe_results(comparison), *_describe_confidence(comparison)]


def describe_results(comparison: Comparison) -> list[str]:
    """Return sentences on the results, without the limits of intervals and verdicts."""
    sentences = []
    for variant in comparison.variants:
        if variant.differences_from_reference is not None and variant.kind != "majority":
            sentences.append(_describe_reference_differences(comparison, variant, variant.differences_from_reference))
            if variant.differences_from_equal_weights is not None:
                sentences.append(
                    _describe_equal_weight_differences(comparison, variant, variant.differences_from_equal_weights)
                )
    return [
        *sentences,
        *_describe_tasks_at_baseline(comparison),
        *_describe_undefined_tasks(comparison),
    ]


def _describe_reference_differences(
    comparison: Comparison, variant: VariantSummary, differences: Mapping[str, Difference]
) -> str:
    """Return a sentence that groups the tasks by the verdict of their difference."""
    if has_many_tasks(len(comparison.tasks)):
        return _describe_many_differences(comparison, variant)
    is_single_task = comparison.reference == "single-task"
    degraded = "degraded (negative transfer with these settings)" if is_single_task else "degraded"
    parts = [f"mean relative gain {format_delta_m(variant.delta_m)}"] if variant.delta_m is not None else []
    for verdict, word in (("improved", "improved"), ("degraded", degraded)):
        names = [name for name in comparison.tasks if differences[name].verdict == verdict]
        if names:
            parts.append(f"{word}: " + ", ".join(f"{name} {format_difference(differences[name])}" for name in names))
    for verdict in ("practically equal", "not resolved"):
        names = [name for name in comparison.tasks if differences[name].verdict == verdict]
        if names:
            parts.append(f"{verdict}: {join_names(names)}")
    if OVERALL in differences:
        parts.append(f"overall {format_difference(differences[OVERALL])}, {differences[OVERALL].verdict}")
    return f"{variant.name} against {comparison.reference}: {'; '.join(parts)}."


def _describe_many_differences(comparison: Comparison, variant: VariantSummary) -> str:
    """Return a sentence with the number of tasks per verdict, and means over tasks."""
    summary = summarize_differences(comparison, variant)
    assert summary is not None  # noqa: S101  the reference has no differences
    parts = [f"of {len(comparison.tasks):,} tasks, {describe_counts(summary)}"]
    if variant.mean_difference is not None:
        parts.append(f"mean difference over tasks {format_interval(variant.mean_difference)}")
    if variant.delta_m is not None:
        parts.append(f"mean relative gain {format_delta_m(variant.delta_m)}")
    overall = (variant.differences_from_reference or {}).get(OVERALL)
    if overall is not None:
        parts.append(f"overall {format_difference(overall)}, {overall.verdict}")
    return f"{variant.name} against {comparison.reference}: {'; '.join(parts)}."


def _describe_equal_weight_differences(
    comparison: Comparison, variant: VariantSummary, differences: Mapping[str, Difference]
) -> str:
    """Return a sentence on the differences of a variant from equal weights."""
    base = "equal weights" if any(one.name == "equal weights" for one in comparison.variants) else "multi-task"
    better = [name for name, difference in differences.items() if difference.verdict == "improved"]
    worse = [name for name, difference in differences.items() if difference.verdict == "degraded"]
    if not better and not worse:
        return f"{variant.name} against {base}: no difference is improved or degraded."
    if has_many_tasks(len(comparison.tasks)):
        n_equal = sum(difference.verdict == "practically equal" for difference in differences.values())
        return (
            f"{variant.name} against {base}: better on {len(better):,} tasks, worse on {len(worse):,}, practically "
            f"equal on {n_equal:,}."
        )
    parts = [
        f"{word}: " + ", ".join(f"{name} {format_difference(differences[name])}" for name in names)
        for word, names in (("better", better), ("worse", worse))
        if names
    ]
    return f"{variant.name} against {base}: {'; '.join(parts)}; no other difference is improved or degraded."


def _describe_tasks_at_baseline(comparison: Comparison) -> Iterator[str]:
    """Yield a sentence per task on which no variant beats the majority baseline, one for many tasks.

    Gains there mean little.
    """
    majority = next((one for one in comparison.variants if one.kind == "majority"), None)
    if majority is None:
        return
    trained_variants = [one for one in comparison.variants if one.kind != "majority"]
    names = []
    for name, task in comparison.tasks.items():
        base = majority.tasks[name].mean
        means = [mean for one in trained_variants if (mean := one.tasks[name].mean) is not None]
        if base is None or not means:
            continue
        best = max(means) if task.higher_is_better else min(means)
        if best <= base if task.higher_is_better else best >= base:
            names.append(name)
    if has_many_tasks(len(comparison.tasks)):
        if names:
            yield (
                f"No variant has a better mean than the baseline without input on {pluralize(len(names), 'task')}: "
                f"{join_names(names, MAX_NAMES)}."
            )
        return
    for name in names:
        base = majority.tasks[name].mean
        yield f"{name}: no variant has a better mean than the baseline without input ({format_metric(base)})."


def _describe_undefined_tasks(comparison: Comparison) -> Iterator[str]:
    undefined = [name for name in comparison.tasks if any(one.tasks[name].mean is None for one in comparison.variants)]
    if has_many_tasks(len(comparison.tasks)):
        if undefined:
            yield (
                f"The metric of {pluralize(len(undefined), 'task')} is undefined and excluded from every mean: "
                f"{join_names(undefined, MAX_NAMES)}."
            )
        return
    for name in undefined:
        task = comparison.tasks[name]
        yield f"{name}: {task.metric} is undefined ({task.n} labels) and excluded from every mean."


def _describe_confidence(comparison: Comparison) -> Iterator[str]:
    """Yield sentences on what the intervals cover, and on how verdicts are decided."""
    seeds, examples = len(comparison.seeds), f"{comparison.examples:,} {comparison.split_name} examples"
    level = f"{100 * comparison.confidence_level:g} %"
    if comparison.variants[0].kind == "run":
        yield (
            f"{level} intervals cover variation over examples ({examples}) but not over seeds: verdicts are about "
            "these networks, and not about how they were trained."
        )
    elif seeds == 1:
        yield (
            f"{level} intervals cover variation over examples ({examples}) but not over seeds: there is one, so no "
            "difference is resolved. Use --seeds 5."
        )
    else:
        folds_note = f", each held out once in {comparison.folds} folds" if comparison.folds else ""
        yield f"{level} intervals cover variation over seeds ({seeds}) and over examples ({examples}{folds_note})."
        if seeds < RECOMMENDED_SEEDS:
            yield _describe_few_seeds(comparison, seeds)
    tested = [(name, family) for name, family in comparison.families.items() if family.size and name != "baseline"]
    if tested:
        families = " and ".join(
            f"{pluralize(family.size, 'difference')} {FAMILY_NAMES[name]}" for name, family in tested
        )
        corrections = join_names(dict.fromkeys(CORRECTION_NAMES[family.correction] for _, family in tested))
        yield (
            f"Improved and degraded: the interval excludes 0 and the p-value, corrected for {families} "
            f"({corrections}), is at most {1 - comparison.confidence_level:.2g}. {_describe_margins(comparison)}"
        )
        if any(family.correction == "benjamini-hochberg" for _, family in tested):
            yield (
                "With the correction of Benjamini and Hochberg, up to 5 % of all verdicts on tasks are expected to be "
                "false."
            )
    if comparison.split_name == "validation":
        yield (
            "The scores are from validation data, which also selected each network's epoch, and are optimistic for "
            "every variant."
        )


def _describe_few_seeds(comparison: Comparison, n_seeds: int) -> str:
    """Return a sentence on how large a difference has to be for a verdict."""
    from scipy.special import stdtrit

    n_tests = max((family.size for name, family in comparison.families.items() if name != "baseline"), default=1) or 1
    tail_probability = (1 - comparison.confidence_level) / n_tests / 2
    now, recommended = (-float(stdtrit(count - 1, tail_probability)) for count in (n_seeds, RECOMMENDED_SEEDS))
    unknown = "what another training would give is almost unknown; " if n_seeds == 2 else ""
    return (
        f"With {n_seeds} seeds, {unknown}the first of {pluralize(n_tests, 'difference')} has to be {now:.3g} standard "
        f"errors over seeds, and with {RECOMMENDED_SEEDS} seeds {recommended:.3g}."
    )


def _describe_margins(comparison: Comparison) -> str:
    """Return a sentence that states the margins."""
    margins = {f"{task.margin:.3g}" for task in comparison.tasks.values()}
    if len(margins) == 1:
        stated = f"±{margins.pop()}"
    else:
        stated = join_names((f"±{task.margin:.3g} for {name}" for name, task in comparison.tasks.items()), limit=5)
    return f"Practically equal: the interval is within {stated} (--margin)."
