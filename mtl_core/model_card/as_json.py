"""A model card as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mtl_core.model_card.card import Card
from mtl_core.model_card.limits import limits, use
from mtl_core.report.figures_of import PartFigures, TaskFigures
from mtl_core.report.run.headline import headline


def as_json(card: Card) -> dict[str, Any]:
    """Convert a card to a JSON object with the keys of `messages.ModelCard` of the server."""
    files = card.files
    return {
        "name": files.experiment,
        "headline": headline(files),
        "notice": files.data.notice,
        "use": use(card),
        "parameters": files.parameters,
        "seed": files.seed,
        "tasks": [
            {
                "name": name,
                "kind": kind,
                "classes": list(files.classes.get(name, ())),
                "labels": {part: dict(card.labels(part, name)) for part in files.data.examples},
                "figures": {part.part: _figures(card, part, name) for part in files.parts},
            }
            for name, kind in card.kinds.items()
        ],
        "data": {"examples": dict(files.data.examples), "findings": list(files.data.findings)},
        "parts": dict(card.parts),
        "calibration": [asdict(one) for one in card.calibration],
        "limits": list(limits(card)),
        "licences": list(card.licences),
    }


def _figures(card: Card, part: PartFigures, name: str) -> Mapping[str, Any]:
    task = next((task for task in part.tasks if task.name == name), None)
    if task is None:
        return {}
    return {
        "n": task.n,
        "metrics": {one.name: {"value": one.value, "baseline": one.baseline, "n": one.n} for one in task.measured},
        "classes": _classes(card, task),
    }


def _classes(card: Card, task: TaskFigures) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "n": one.n, "recall": one.recall, "precision": one.precision}
        for one in card.class_figures(task)
    ]
