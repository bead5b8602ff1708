"""The headline of a run: the performance of the network and of the baseline in one sentence."""

from statistics import mean

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.reporting.formatting import format_count, format_metric, format_metric_name, format_percent, pluralize
from mtl_core.reporting.read_run import RunArtifacts
from mtl_core.reporting.task_metrics import MetricValue, SplitMetrics
from mtl_core.reporting.task_summary import MetricSummary, summarize_metrics

MAJORITY_BASELINE = "majority-class baseline"


def format_headline(artifacts: RunArtifacts) -> str:
    """Summarize the performance of the network and of the baseline in one sentence."""
    split = artifacts.main_split
    if split is None:
        return "No metrics: the run has neither validation nor test data."
    if has_many_tasks(len(split.tasks)) and split.shared_metric is not None:
        return _format_mean(summarize_metrics(split)[0], split)
    overall_metric = split.overall.main_metric
    if split.shared_metric is not None and overall_metric is not None and overall_metric.name == split.shared_metric:
        return _format_shared_metric(overall_metric, split)
    if len(split.tasks) == 1 and split.tasks[0].main_metric is not None:
        return _format_single_task(split.tasks[0].main_metric, split)
    reductions = [
        reduction
        for task in split.tasks
        if task.main_metric and (reduction := task.main_metric.relative_error_reduction) is not None
    ]
    if not reductions:
        return f"No metrics: the {split.split_name} data has no labels that count."
    mean_reduction = mean(reductions)
    comparative = "smaller" if mean_reduction >= 0 else "larger"
    return (
        f"The error is {format_percent(abs(mean_reduction))} {comparative} than that of the baseline on the "
        f"{split.split_name} data (mean over {pluralize(len(reductions), 'task')} with different metrics)."
    )


def _format_mean(summary: MetricSummary, split: SplitMetrics) -> str:
    """Return the mean of the main metric over many tasks, and how many of them are better than their baseline."""
    mean_score = summary.mean
    if mean_score.value is None:
        return f"No metrics: the {split.split_name} data has no labels that count."
    text = f"Mean {format_metric_name(summary.name)} {format_metric(mean_score.value)} over "
    text += f"{pluralize(mean_score.n_tasks, 'task')} on the {split.split_name} data"
    if mean_score.baseline is None:
        return f"{text}."
    n_better, n_compared = (format_count(number) for number in (summary.n_better, summary.n_compared))
    baseline = format_metric(mean_score.baseline)
    return f"{text}; baseline: {baseline}. Better than the baseline in {n_better} of {n_compared} tasks."


def _format_shared_metric(metric: MetricValue, split: SplitMetrics) -> str:
    if metric.value is None:
        return f"No metrics: the {split.split_name} data has no labels that count."
    labels = pluralize(metric.n, f"{split.split_name} label")
    correct_text = (
        "correct" if metric.name in {"accuracy", "exact_match"} else f"correct ({format_metric_name(metric.name)})"
    )
    text = f"{format_percent(metric.value)} of {labels} {correct_text}"
    return text + (f"; {MAJORITY_BASELINE}: {format_percent(metric.baseline)}." if metric.baseline is not None else ".")


def _format_single_task(metric: MetricValue, split: SplitMetrics) -> str:
    label_text = f"on {pluralize(metric.n, f'{split.split_name} label')}"
    direction = "smaller" if metric.lower_is_better else "larger"
    text = f"{format_metric_name(metric.name)} {format_metric(metric.value)} {label_text} ({direction} is better)"
    return text + (f"; baseline: {format_metric(metric.baseline)}." if metric.baseline is not None else ".")
