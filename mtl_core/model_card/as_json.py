"""A model card as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mtl_core.model_card.card import Card
from mtl_core.model_card.limits import describe_limits, describe_use
from mtl_core.report.figures_of import SplitMetrics, TaskMetrics
from mtl_core.report.run.headline import format_headline


def card_to_json(card: Card) -> dict[str, Any]:
    """Convert a card to a JSON object with the keys of `messages.ModelCard` of the server."""
    files = card.files
    return {
        "name": files.experiment,
        "headline": format_headline(files),
        "notice": files.data.disclaimer,
        "use": describe_use(card),
        "parameters": files.parameters,
        "seed": files.seed,
        "tasks": [
            {
                "name": name,
                "kind": kind,
                "classes": list(files.classes.get(name, ())),
                "labels": {
                    split_scores: dict(card.get_label_counts(split_scores, name))
                    for split_scores in files.data.example_counts
                },
                "figures": {
                    split_scores.split_name: _build_scores(card, split_scores, name)
                    for split_scores in files.splits
                },
            }
            for name, kind in card.kinds.items()
        ],
        "data": {"examples": dict(files.data.example_counts), "findings": list(files.data.warnings)},
        "parts": dict(card.parts),
        "calibration": [asdict(errors) for errors in card.calibration],
        "limits": list(describe_limits(card)),
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
