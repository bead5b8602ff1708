"""Interactions of tasks during training, as stored in `interactions.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import read_json, wrap_parse_errors

Matrix = Sequence[Sequence[float | None]]
"""One row and one column per task; None for pairs that were not observed."""


@dataclass(frozen=True)
class EpochCosine:
    """The mean cosine of gradients in one epoch."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class TaskGrouping:
    """A grouping of tasks into networks, the improvement of their mutual influence, and its standard error."""

    networks: Sequence[Sequence[str]]
    criterion: str
    improvement: float
    error: float | None


@dataclass(frozen=True)
class AuxiliaryInteraction:
    """The relation of an auxiliary task's gradient to the sum of the main tasks' gradients."""

    name: str
    cosine: float | None
    cosine_error: float | None
    conflicts: float | None
    affinity: float | None
    affinity_error: float | None


@dataclass(frozen=True)
class TaskInteractions:
    """The pairwise interactions of tasks, measured on their gradients.

    Attributes:
        tasks: The names of the tasks.
        cosine: Mean cosine of the gradients of two tasks.
        cosine_error: Its standard error; None if it is not reported.
        conflicts: Fraction of the steps in which the cosine was negative.
        steps: Number of steps with labels for both tasks.
        by_epoch: The mean cosine per epoch.
        affinity: Effect of a step on the row's task on the column's loss; None if it was not measured.
        groupings: Maximum number of networks to the best grouping of the tasks.
        auxiliary: Interactions of auxiliary tasks with the main tasks.
        suggestions: Recommendations, in sentences.
    """

    tasks: Sequence[str]
    cosine: Matrix
    cosine_error: Matrix | None
    conflicts: Matrix
    steps: Sequence[Sequence[int]]
    by_epoch: Sequence[EpochCosine]
    affinity: Matrix | None
    groupings: Mapping[str, TaskGrouping]
    auxiliary: Sequence[AuxiliaryInteraction]
    suggestions: Sequence[str]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The indices of all pairs of tasks whose gradients were observed in the same step."""
        indices = range(len(self.tasks))
        return [(a, b) for a in indices for b in indices if a < b and self.cosine[a][b] is not None]


def read_interactions(path: Path) -> TaskInteractions | None:
    """Read `interactions.json`.

    Returns:
        The interactions; None if the file does not exist.

    Raises:
        MtlError: If the file is damaged.
    """
    if not path.is_file():
        return None
    content = read_json(path)
    with wrap_parse_errors(path):
        tasks = [str(name) for name in content["tasks"]]
        return TaskInteractions(
            tasks,
            _parse_matrix(content["cosine"], len(tasks)),
            _parse_optional_matrix(content.get("cosine_error"), len(tasks)),
            _parse_matrix(content["conflicts"], len(tasks)),
            [[int(value or 0) for value in row] for row in _parse_matrix(content["steps"], len(tasks))],
            [
                EpochCosine(int(one["epoch"]), _parse_matrix(one["cosine"], len(tasks)))
                for one in content.get("by_epoch") or []
            ],
            _parse_optional_matrix(content.get("affinity"), len(tasks)),
            {at_most: _parse_grouping(entry) for at_most, entry in (content.get("groups") or {}).items()},
            [_parse_auxiliary_interaction(name, entry) for name, entry in (content.get("auxiliary") or {}).items()],
            [str(text) for text in content.get("suggestions") or []],
        )


def _parse_matrix(rows: Any, size: int) -> Matrix:
    if len(rows) != size or any(len(row) != size for row in rows):
        raise ValueError(f"expected {size} rows of {size} numbers, one per task")
    return [[None if value is None else float(value) for value in row] for row in rows]


def _parse_optional_matrix(rows: Any, size: int) -> Matrix | None:
    return None if rows is None else _parse_matrix(rows, size)


def _parse_grouping(entry: Mapping[str, Any]) -> TaskGrouping:
    networks = [[str(name) for name in network] for network in entry["networks"]]
    return TaskGrouping(networks, str(entry["by"]), float(entry["gain"]), _to_optional_float(entry.get("error")))


def _parse_auxiliary_interaction(name: str, entry: Mapping[str, Any]) -> AuxiliaryInteraction:
    keys = ("cosine", "cosine_error", "conflicts", "affinity", "affinity_error")
    return AuxiliaryInteraction(name, *(_to_optional_float(entry.get(key)) for key in keys))


def _to_optional_float(value: Any) -> float | None:
    return None if value is None else float(value)
