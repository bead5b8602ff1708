"""Interactions of tasks during training, as stored in `interactions.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.report.json_files import read_json, sound

Matrix = Sequence[Sequence[float | None]]
"""One row and one column per task; None for pairs that were not observed."""


@dataclass(frozen=True)
class EpochCosine:
    """The mean cosine of gradients in one epoch."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class Division:
    """A grouping of tasks into networks, the improvement of their mutual influence, and its standard error."""

    networks: Sequence[Sequence[str]]
    by: str
    gain: float
    error: float | None


@dataclass(frozen=True)
class Helper:
    """The relation of an auxiliary task's gradient to the sum of the main tasks' gradients."""

    name: str
    cosine: float | None
    cosine_error: float | None
    conflicts: float | None
    affinity: float | None
    affinity_error: float | None


@dataclass(frozen=True)
class Interactions:
    """The pairwise interactions of tasks, measured on their gradients.

    Attributes:
        tasks: The names of the tasks.
        cosine: Mean cosine of the gradients of two tasks.
        cosine_error: Its standard error; None if it is not reported.
        conflicts: Fraction of the steps in which the cosine was negative.
        steps: Number of steps with labels for both tasks.
        over_time: The mean cosine per epoch.
        affinity: Effect of a step on the row's task on the column's loss; None if it was not measured.
        divisions: Maximum number of networks to the best grouping of the tasks.
        helpers: Interactions of auxiliary tasks with the main tasks.
        suggestions: Recommendations, in sentences.
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
        """The indices of all pairs of tasks whose gradients were observed in the same step."""
        places = range(len(self.tasks))
        return [(a, b) for a in places for b in places if a < b and self.cosine[a][b] is not None]


def read_interactions(path: Path) -> Interactions | None:
    """Read `interactions.json`.

    Returns:
        The interactions; None if the file does not exist.

    Raises:
        MtlError: If the file is damaged.
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
        raise ValueError(f"expected {size} rows of {size} numbers, one per task")
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
