"""How tasks worked together while they were trained, as `interactions.json` tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.report.json_files import read_json, sound

Matrix = Sequence[Sequence[float | None]]
"""A row and a column a task; None where nothing was observed."""


@dataclass(frozen=True)
class EpochCosine:
    """How alike gradients were in one epoch."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class Division:
    """Tasks, divided into networks, how much more they would help each other so, and its standard error."""

    networks: Sequence[Sequence[str]]
    by: str
    gain: float
    error: float | None


@dataclass(frozen=True)
class Helper:
    """What an auxiliary task's gradient has to do with those of the main tasks together."""

    name: str
    cosine: float | None
    cosine_error: float | None
    conflicts: float | None
    affinity: float | None
    affinity_error: float | None


@dataclass(frozen=True)
class Interactions:
    """What the gradients of tasks say about each other.

    Attributes:
        tasks: Their names.
        cosine: Mean cosine of two tasks' gradients.
        cosine_error: Its standard error; None if it is not told.
        conflicts: Share of the steps in which it was negative.
        steps: How many steps had labels for both.
        over_time: The mean cosine of each epoch.
        affinity: What a step on the row's task did to the column's loss; None if it was not measured.
        divisions: Number of networks, at most, to the best division of the tasks.
        helpers: What auxiliary tasks do to the main ones.
        suggestions: What may follow from it, in sentences.
    """

    tasks: Sequence[str]
    cosine: Matrix
    cosine_error: Matrix | None
    conflicts: Matrix
    steps: Sequence[Sequence[int]]
    over_time: Sequence[EpochCosine]
    affinity: Matrix | None
    divisions: Mapping[str, Division]
    helpers: Sequence[Helper]
    suggestions: Sequence[str]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every two tasks whose gradients were seen together."""
        places = range(len(self.tasks))
        return [(a, b) for a in places for b in places if a < b and self.cosine[a][b] is not None]


def read_interactions(path: Path) -> Interactions | None:
    """Read the file, if there is one.

    Raises:
        MtlError: If it is damaged.
    """
    if not path.is_file():
        return None
    found = read_json(path)
    with sound(path):
        tasks = [str(name) for name in found["tasks"]]
        return Interactions(
            tasks,
            _matrix(found["cosine"], len(tasks)),
            _matrix_if_any(found.get("cosine_error"), len(tasks)),
            _matrix(found["conflicts"], len(tasks)),
            [[int(value or 0) for value in row] for row in _matrix(found["steps"], len(tasks))],
            [
                EpochCosine(int(one["epoch"]), _matrix(one["cosine"], len(tasks)))
                for one in found.get("over_time") or []
            ],
            _matrix_if_any(found.get("affinity"), len(tasks)),
            {at_most: _division(entry) for at_most, entry in (found.get("groups") or {}).items()},
            [_helper(name, entry) for name, entry in (found.get("auxiliary") or {}).items()],
            [str(text) for text in found.get("suggestions") or []],
        )


def _matrix(rows: Any, size: int) -> Matrix:
    if len(rows) != size or any(len(row) != size for row in rows):
        raise ValueError(f"expected {size} rows of {size} numbers, one a task")
    return [[None if value is None else float(value) for value in row] for row in rows]


def _matrix_if_any(rows: Any, size: int) -> Matrix | None:
    return None if rows is None else _matrix(rows, size)


def _division(entry: Mapping[str, Any]) -> Division:
    networks = [[str(name) for name in network] for network in entry["networks"]]
    return Division(networks, str(entry["by"]), float(entry["gain"]), _number(entry.get("error")))


def _helper(name: str, entry: Mapping[str, Any]) -> Helper:
    keys = ("cosine", "cosine_error", "conflicts", "affinity", "affinity_error")
    return Helper(name, *(_number(entry.get(key)) for key in keys))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
