"""Compare one network for all tasks, groups, and one network per task: on validation data, then on test data."""

from collections.abc import Mapping
from dataclasses import replace

from mtl_core.artifacts.comparison import Comparison, VariantSummary
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.experiments.compare.comparability import check_same_labels, check_same_provenance
from mtl_core.experiments.compare.compare_runs import read_variants
from mtl_core.experiments.compare.formatting import format_delta_m, format_difference
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.summary_text import collect_disclaimers, summarize
from mtl_core.experiments.compare.variant_scores import compare_variants
from mtl_core.experiments.group.plan import TOGETHER
from mtl_core.reporting.formatting import format_metric, pluralize


def compare_group_plan(plan: Plan, margins: Mapping[str, float]) -> Comparison:
    """Compare the finished trainings of a plan; the reference is one network for all tasks.

    Args:
        plan: The plan.
        margins: Task to the largest difference that makes no practical difference, see `parse_margins`.

    Raises:
        MtlError: If a run is missing or damaged, or runs cannot be compared.
    """
    entries, runs_by_path = read_variants(plan, [variant.name for variant in plan.variants])
    provenance_notes = check_same_provenance(list(runs_by_path))
    for entry in entries[1:]:
        for together_folds, variant_folds in zip(entries[0].outputs.outputs, entry.outputs.outputs, strict=True):
            check_same_labels(together_folds[0], variant_folds[0], (TOGETHER, entry.outputs.name))
    config = plan.experiment.config
    comparison = compare_variants(
        entries, config.training.select, margins, config.seed, TOGETHER, None, plan.output_dir
    )
    comparison = replace(comparison, experiment=config.name, seeds=list(plan.seeds))
    summary = summarize(comparison, collect_disclaimers(runs_by_path.values()))
    return replace(comparison, summary=[*summary, *provenance_notes])


def choose_variant(comparison: Comparison) -> str:
    """Return the variant with the best score over all tasks; with the best mean relative gain if there is none.

    Ties, and variants without a defined score, go to one network for all tasks.

    Args:
        comparison: The comparison on validation data.
    """
    reference = comparison.variants[0]
    best, best_gain = reference.name, 0.0
    for variant in comparison.variants[1:]:
        gain = _compute_gain(comparison, variant, reference)
        if gain is not None and gain > best_gain:
            best, best_gain = variant.name, gain
    return best


def _compute_gain(comparison: Comparison, variant: VariantSummary, reference: VariantSummary) -> float | None:
    if variant.overall is not None and reference.overall is not None:
        if variant.overall.mean is None or reference.overall.mean is None:
            return None
        is_higher_better = next(iter(comparison.tasks.values())).higher_is_better
        difference = variant.overall.mean - reference.overall.mean
        return difference if is_higher_better else -difference
    return variant.delta_m.mean if variant.delta_m is not None else None


def describe_verdicts(comparison: Comparison) -> list[str]:
    """Describe each variant against one network for all tasks in one sentence, however many tasks there are."""
    sentences = []
    for variant in comparison.variants[1:]:
        differences = variant.differences_from_reference or {}
        parts = []
        if variant.overall is not None and OVERALL in differences:
            overall = differences[OVERALL]
            score = format_metric(variant.overall.mean)
            parts.append(f"overall {score} ({format_difference(overall)}, {overall.verdict})")
        if variant.delta_m is not None:
            parts.append(f"mean relative gain {format_delta_m(variant.delta_m)}")
        verdicts = [difference.verdict for task, difference in differences.items() if task != OVERALL]
        counts = [
            f"{pluralize(verdicts.count(verdict), 'task')} {verdict}"
            for verdict in ("improved", "degraded", "practically equal", "not resolved", "undefined")
            if verdict in verdicts
        ]
        sentences.append(
            f"{variant.name} against {comparison.reference}, {comparison.split_name}: {'; '.join([*parts, *counts])}"
        )
    return sentences
