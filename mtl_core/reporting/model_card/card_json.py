"""A model card as JSON."""

from dataclasses import asdict

from mtl_core.reporting.headline import format_headline
from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.limitations import describe_limits, describe_use
from mtl_core.reporting.model_card.schema import ClassMetrics, MetricResult, ModelCard, TaskCard, TaskSplitMetrics
from mtl_core.reporting.task_metrics import TaskMetrics


def build_model_card(card: Card) -> ModelCard:
    """Convert the content of a card to its JSON schema."""
    files = card.files
    return ModelCard(
        name=files.experiment,
        headline=format_headline(files),
        disclaimer=files.data.disclaimer,
        use=describe_use(card),
        parameters=files.parameters,
        seed=files.seed,
        tasks=_build_tasks(card),
        data={"examples": dict(files.data.examples), "warnings": list(files.data.warnings)},
        components=dict(card.parts),
        calibration=[{"question": decision, **asdict(errors)} for decision, errors in card.calibration.items()],
        limitations=list(describe_limits(card)),
        licences=list(card.licences),
    )


def _build_tasks(card: Card) -> list[TaskCard]:
    splits: dict[str, dict[str, TaskSplitMetrics]] = {}
    for split in card.files.splits:
        for task in split.tasks:
            splits.setdefault(task.name, {})[split.split_name] = _build_split(card, task)
    return [_build_task(card, name, kind, splits.get(name, {})) for name, kind in card.kinds.items()]


def _build_task(card: Card, name: str, kind: str, splits: dict[str, TaskSplitMetrics]) -> TaskCard:
    return TaskCard(
        name=name,
        kind=kind,
        classes=list(card.files.classes.get(name, ())),
        label_counts={
            split_name: dict(card.get_label_counts(split_name, name)) for split_name in card.files.data.examples
        },
        splits=splits,
    )


def _build_split(card: Card, task: TaskMetrics) -> TaskSplitMetrics:
    return TaskSplitMetrics(
        n=task.n,
        metrics={
            metric.name: MetricResult(value=metric.value, baseline=metric.baseline, n=metric.n)
            for metric in task.metrics
        },
        classes=[
            ClassMetrics(name=one.name, n=one.n, recall=one.recall, precision=one.precision)
            for one in card.compute_class_scores(task)
        ],
    )
