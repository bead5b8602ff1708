"""The selection score, by which the best epoch is chosen. Only main tasks contribute."""

from collections.abc import Sequence

from mtl_core.config.experiment import Selection
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.training.groups import LearnedTask


def resolve_selection(
    select: Selection, tasks: Sequence[LearnedTask], others: Sequence[LearnedTask] = ()
) -> Selection:
    """Resolve the defaults of the selection settings.

    Args:
        select: The settings of the experiment.
        tasks: The trained tasks; auxiliary tasks are ignored.
        others: Tasks that are declared but not trained. They have no scores, but defaults are resolved as if they
            had, so that the selection is the same with and without them.

    Returns:
        Settings with the metric and the aggregation set; the metric is None for `gain` over different metrics.

    Raises:
        MtlError: If the task or the metric does not exist, or the metric cannot be used in this way.
    """
    main = [task for task in tasks if task.auxiliary is None]
    names = [task.name for task in main]
    known = ["overall", "mean", "gain", *names]
    if select.over in {task.name for task in others}:
        raise MtlError(
            f"training.select.over: the task '{select.over}' is not trained, so it cannot select the epoch "
            f"(trained: {listed(names)})"
        )
    if select.over is not None and select.over not in known:
        raise MtlError(
            f"training.select.over: unknown '{select.over}'{did_you_mean(select.over, known)} "
            f"(known: {listed(known)})"
        )
    asked = [task for task in main if task.name == select.over] or [*main, *others]
    if select.metric is None:
        resolved = _by_default(select.over, asked)
    else:
        pooled = all(
            metric.pooled or metric.pooled_by_sums
            for task in asked
            for metric in task.kind.metrics
            if metric.key() == select.metric
        )
        resolved = Selection(metric=select.metric, over=select.over or ("overall" if pooled else "mean"))
    _check_metric(resolved, [task for task in main if resolved.over not in names or task.name == resolved.over])
    return resolved


def _by_default(over: str | None, asked: Sequence[LearnedTask]) -> Selection:
    """Return the default selection: accuracy if all tasks have it, else the first metric of each task."""
    if over != "gain" and all("accuracy" in _metrics(task) for task in asked):
        return Selection(metric="accuracy", over=over or "overall")
    first = asked[0].kind.metrics[0]
    if len({task.kind.metrics[0].key() for task in asked}) == 1:
        # Errors of several tasks have different units: the largest numbers would dominate the mean.
        alike = "mean" if first.higher_is_better or len(asked) == 1 else "gain"
        return Selection(metric=first.key(), over=over or ("overall" if first.pooled else alike))
    if over not in {None, "gain"}:
        raise MtlError(
            "training.select: the tasks have different metrics, so they have no common score; "
            "set a `metric`, or use `over: gain`"
        )
    return Selection(metric=None, over="gain")


def higher_is_better(select: Selection, tasks: Sequence[LearnedTask]) -> bool:
    """Return whether higher selection scores are better, for a resolved selection."""
    if select.over == "gain" or select.metric is None:
        return True
    return next(_metrics(task)[select.metric] for task in tasks if select.metric in _metrics(task))


def _metrics(task: LearnedTask) -> dict[str, bool]:
    return {metric.key(): metric.higher_is_better for metric in task.kind.metrics}


def _check_metric(select: Selection, asked: Sequence[LearnedTask]) -> None:
    for task in asked:
        metrics = {metric.key(): metric for metric in task.kind.metrics}
        metric = metrics.get(select.metric) if select.metric is not None else task.kind.metrics[0]
        if metric is None:
            raise MtlError(
                f"training.select.metric: task '{task.name}' has no metric '{select.metric}'"
                f"{did_you_mean(str(select.metric), metrics)} (metrics: {listed(metrics)})"
            )
        if not metric.scalar:
            raise MtlError(
                f"training.select.metric: '{metric.key()}' is not one number, so it cannot select an epoch"
            )
        if select.over == "overall" and not (metric.pooled or metric.pooled_by_sums):
            raise MtlError(
                f"training.select: '{metric.key()}' cannot be pooled over tasks; "
                "use `over: mean` or the name of one task"
            )


def selection_score(select: Selection, scores: Scores) -> float | None:
    """Compute the selection score of a resolved selection; None if it is undefined."""
    if select.over == "gain":
        return _mean([_main_gain(score, select.metric) for score in scores.tasks.values()])
    metric = str(select.metric)
    if select.over == "mean":
        return _mean([_number(score.figures[metric].value) for score in scores.tasks.values()])
    score = scores.overall if select.over == "overall" else scores.tasks[str(select.over)]
    return _number(score.figures[metric].value) if metric in score.figures else None


def _main_gain(score: TaskScore, metric: str | None) -> float | None:
    return score.figures[metric or next(iter(score.figures))].gain


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def flat_figures(scores: Scores) -> dict[str, float | None]:
    """Return `task.metric` to value for every scalar metric of main tasks, as logged in histories."""
    flat: dict[str, float | None] = {}
    for name, score in (("overall", scores.overall), *scores.tasks.items()):
        for metric, figure in score.figures.items():
            if figure.scalar and not isinstance(figure.value, list):
                flat[f"{name}.{metric}"] = figure.value
    return flat
