"""The selection score, by which the best epoch is chosen. Only main tasks contribute."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import MEAN
from mtl_core.config.training import Selection
from mtl_core.data.fitted_task import FittedTask
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.plugins.specs import MetricSpec


def resolve_selection(
    select: Selection, tasks: Sequence[FittedTask], inactive_tasks: Sequence[FittedTask] = ()
) -> Selection:
    """Resolve the defaults of the selection settings.

    Args:
        select: The settings of the experiment.
        tasks: The trained tasks; auxiliary tasks are ignored.
        inactive_tasks: Tasks that are declared but not trained. They have no scores, but defaults are resolved as
            if they had, so that the selection is the same with and without them.

    Returns:
        Settings with the metric and the aggregation set; the metric is None for `relative_error_reduction` over
        different metrics.

    Raises:
        MtlError: If the task or the metric does not exist, or the metric cannot be used in this way.
    """
    main_tasks = [task for task in tasks if task.auxiliary_spec is None]
    names = [task.name for task in main_tasks]
    known = ["overall", "mean", "relative_error_reduction", *names]
    if select.aggregation in {task.name for task in inactive_tasks}:
        raise MtlError(
            f"training.select.aggregation: the task '{select.aggregation}' is not trained, so it cannot select the "
            f"epoch (trained: {join_names(names)})"
        )
    if select.aggregation is not None and select.aggregation not in known:
        raise MtlError(
            f"training.select.aggregation: unknown '{select.aggregation}'{did_you_mean(select.aggregation, known)} "
            f"(known: {join_names(known)})"
        )
    scored_tasks = [task for task in main_tasks if task.name == select.aggregation] or [
        *main_tasks,
        *inactive_tasks,
    ]
    if select.metric is None:
        resolved = _resolve_default(select.aggregation, scored_tasks)
    else:
        metrics = [metric for task in scored_tasks for metric in task.kind.metrics]
        # A metric has the name of its type in `kind.metrics` (`roc-auc`), and its key in results (`roc_auc`).
        key = next((metric.key() for metric in metrics if metric.type == select.metric), select.metric)
        pooled = all(metric.pooled or metric.pooled_by_sums for metric in metrics if metric.key() == key)
        resolved = Selection(metric=key, aggregation=select.aggregation or ("overall" if pooled else "mean"))
    _check_metric(
        resolved,
        [task for task in main_tasks if resolved.aggregation not in names or task.name == resolved.aggregation],
    )
    return resolved


def _resolve_default(aggregation: str | None, tasks: Sequence[FittedTask]) -> Selection:
    """Return the default selection: the first metric of the tasks."""
    first = tasks[0].kind.metrics[0]
    if len({task.kind.metrics[0].key() for task in tasks}) == 1:
        # Errors of several tasks have different units: the largest numbers would dominate the mean.
        fallback = "mean" if first.higher_is_better or len(tasks) == 1 else "relative_error_reduction"
        return Selection(metric=first.key(), aggregation=aggregation or ("overall" if first.pooled else fallback))
    if aggregation not in {None, "relative_error_reduction"}:
        raise MtlError(
            "training.select: the tasks have different metrics, so they have no common score; "
            "set a `metric`, or use `aggregation: relative_error_reduction`"
        )
    return Selection(metric=None, aggregation="relative_error_reduction")


def is_higher_better(select: Selection, tasks: Sequence[FittedTask]) -> bool:
    """Return whether higher selection scores are better, for a resolved selection."""
    if select.aggregation == "relative_error_reduction" or select.metric is None:
        return True
    return next(_map_directions(task)[select.metric] for task in tasks if select.metric in _map_directions(task))


def _map_directions(task: FittedTask) -> dict[str, bool]:
    return {metric.key(): metric.higher_is_better for metric in task.kind.metrics}


def _check_metric(select: Selection, tasks: Sequence[FittedTask]) -> None:
    for task in tasks:
        metrics = {metric.key(): metric for metric in task.kind.metrics}
        metric = metrics.get(select.metric) if select.metric is not None else task.kind.metrics[0]
        if metric is None:
            raise MtlError(
                f"training.select.metric: task '{task.name}' has no metric '{select.metric}'"
                f"{did_you_mean(str(select.metric), metrics)} (metrics: {join_names(metrics)})"
            )
        if not metric.scalar:
            raise MtlError(f"training.select.metric: '{metric.key()}' is not one number, so it cannot select an epoch")
        if select.aggregation == "overall" and not (metric.pooled or metric.pooled_by_sums):
            raise MtlError(
                f"training.select: '{metric.key()}' cannot be pooled over tasks; "
                "use `aggregation: mean` or the name of one task"
            )


def compute_selection_score(
    select: Selection, scores: Scores, defined_metrics: Mapping[str, MetricSpec] | None = None
) -> float | None:
    """Compute the selection score of a resolved selection; None if it is undefined, so that the epoch is not the best.

    A mean over tasks contains the same tasks in every epoch. Where the predictions leave the metric of one of them
    undefined, the worst value of the metric counts; the mean is undefined if the metric has no worst value.

    Args:
        select: The resolved selection.
        scores: The scores on the validation data.
        defined_metrics: The metric of each task that a mean contains, see `find_defined_metrics`; None for all tasks
            with labels.
    """
    if select.aggregation in {"mean", "relative_error_reduction"}:
        return _compute_mean_over_tasks(select, scores, defined_metrics)
    metric = str(select.metric)
    score = scores.overall if select.aggregation == "overall" else scores.tasks[str(select.aggregation)]
    return _to_float(score.metrics[metric].value) if metric in score.metrics else None


def _compute_mean_over_tasks(
    select: Selection, scores: Scores, defined_metrics: Mapping[str, MetricSpec] | None
) -> float | None:
    values: list[float | None] = []
    for name, score in scores.tasks.items():
        metric = score.metrics[select.metric or next(iter(score.metrics))]
        if not metric.n or (defined_metrics is not None and name not in defined_metrics):
            continue
        if metric.value is None and defined_metrics is not None:
            metric = replace(metric, value=defined_metrics[name].worst_value)
        if select.aggregation == "mean":
            values.append(_to_float(metric.value))
        elif metric.baseline_error:  # the same in every epoch
            values.append(metric.relative_error_reduction)
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _to_float(value: object) -> float | None:
    return value if isinstance(value, float) else None


def flatten_scores(scores: Scores, selection_score: float | None = None) -> dict[str, float | None]:
    """Return the values of an epoch, as logged in histories and by trackers.

    Args:
        scores: The scores on the validation data.
        selection_score: The selection score.

    Returns:
        `overall.metric` and `task.metric` to value for every scalar metric of main tasks. For many tasks, instead of
        thousands of columns, `overall.metric`, `mean.metric` and `selection.score`.
    """
    if has_many_tasks(len(scores.tasks)):
        means = {f"{MEAN}.{metric}": mean_score.value for metric, mean_score in scores.mean.items()}
        return {**_flatten_task("overall", scores.overall), **means, "selection.score": selection_score}
    flat = _flatten_task("overall", scores.overall)
    for name, score in scores.tasks.items():
        flat |= _flatten_task(name, score)
    return flat


def _flatten_task(name: str, score: TaskScore) -> dict[str, float | None]:
    return {
        f"{name}.{metric}": value.value
        for metric, value in score.metrics.items()
        if value.scalar and not isinstance(value.value, list)
    }
