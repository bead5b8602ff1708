"""A model card as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.limitations import describe_limits, describe_use
from mtl_core.reporting.run.summary_section import format_headline
from mtl_core.reporting.task_metrics import SplitMetrics, TaskMetrics


def card_to_json(card: Card) -> dict[str, Any]:
    """Convert a card to a JSON object with the keys of `schemas.ModelCardResponse` of the server."""
    files = card.files
    return {
        "name": files.experiment,
        "headline": format_headline(files),
        "disclaimer": files.data.disclaimer,
        "use": describe_use(card),
        "parameters": files.parameters,
        "seed": files.seed,
        "tasks": [
            {
                "name": name,
                "kind": kind,
                "classes": list(files.classes.get(name, ())),
                "label_counts": {
                    split_scores: dict(card.get_label_counts(split_scores, name))
                    for split_scores in files.data.example_counts
                },
                "splits": {
                    split_scores.split_name: _build_scores(card, split_scores, name)
                    for split_scores in files.splits
                },
            }
            for name, kind in card.kinds.items()
        ],
        "data": {"examples": dict(files.data.example_counts), "warnings": list(files.data.warnings)},
        "components": dict(card.parts),
        "calibration": [asdict(errors) for errors in card.calibration],
        "limitations": list(describe_limits(card)),
        "licences": list(card.licences),
    }


def _build_scores(card: Card, split_scores: SplitMetrics, name: str) -> Mapping[str, Any]:
    task = next((task for task in split_scores.tasks if task.name == name), None)
    if task is None:
        return {}
    return {
        "n": task.n,
        "metrics": {
            metric.name: {"value": metric.value, "baseline": metric.baseline, "n": metric.n}
            for metric in task.metrics
        },
        "classes": _build_classes(card, task),
    }


def _build_classes(card: Card, task: TaskMetrics) -> list[dict[str, Any]]:
    return [
        {
            "name": class_scores.name,
            "n": class_scores.n,
            "recall": class_scores.recall,
            "precision": class_scores.precision,
        }
        for class_scores in card.compute_class_scores(task)
    ]
