"""The one figure by which epochs are chosen."""

from collections.abc import Sequence

from mtl_core.config.experiment import Selection
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.evaluation.scores import Scores
from mtl_core.training.groups import LearnedTask


def check_selection(select: Selection, tasks: Sequence[LearnedTask]) -> bool:
    """Check that the figure exists before hours are spent on training.

    Returns:
        Whether higher figures are better.

    Raises:
        MtlError: If the task or the metric does not exist.
    """
    names = [task.name for task in tasks]
    if select.over not in {"overall", "mean", *names}:
        known = ["overall", "mean", *names]
        raise MtlError(
            f"training.select.over: unknown '{select.over}'{did_you_mean(select.over, known)} "
            f"(known: {listed(known)})"
        )
    asked = [task for task in tasks if select.over in {"overall", "mean", task.name}]
    for task in asked:
        metrics = {metric.key(): metric for metric in task.kind.metrics}
        if select.metric not in metrics:
            raise MtlError(
                f"training.select.metric: task '{task.name}' has no metric '{select.metric}'"
                f"{did_you_mean(select.metric, metrics)} (metrics: {listed(metrics)})"
            )
        if not metrics[select.metric].scalar:
            raise MtlError(
                f"training.select.metric: '{select.metric}' is not one number, so it cannot choose an epoch"
            )
        if select.over == "overall" and not metrics[select.metric].pooled:
            raise MtlError(
                f"training.select: '{select.metric}' cannot be pooled over tasks; "
                "use `over: mean` or the name of one task"
            )
    return next(m.higher_is_better for m in asked[0].kind.metrics if m.key() == select.metric)


def selection_score(select: Selection, scores: Scores) -> float | None:
    """Read the figure; None if it is undefined."""
    if select.over == "mean":
        values = [score.figures[select.metric].value for score in scores.tasks.values()]
        known = [value for value in values if isinstance(value, float)]
        return sum(known) / len(known) if known else None
    score = scores.overall if select.over == "overall" else scores.tasks[select.over]
    value = score.figures[select.metric].value
    return value if isinstance(value, float) else None


def flat_figures(scores: Scores) -> dict[str, float | None]:
    """Every scalar figure under `task.metric`, for histories."""
    flat: dict[str, float | None] = {}
    for name, score in (("overall", scores.overall), *scores.tasks.items()):
        for metric, figure in score.figures.items():
            if figure.scalar and not isinstance(figure.value, list):
                flat[f"{name}.{metric}"] = figure.value
    return flat
