"""The measured task interactions of a run, as stored in `interactions.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mtl_core.artifacts.json_files import dump_json, parse_schema, read_json
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError

Row = Sequence[float | None]
"""One number per task; None where nothing was observed."""
Matrix = Sequence[Row]
"""One row and one column per task."""
MAX_INDENTED_TASKS = 50
"""Maximum number of tasks for a file with one number per line."""


@dataclass(frozen=True)
class EpochCosine:
    """The mean cosines of gradients in one epoch, counted from 1."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class AuxiliaryInteraction:
    """The interaction of an auxiliary task with the main tasks.

    Attributes:
        steps: Number of observed steps with the task and a main task.
        cosine: Mean cosine between its gradient and the sum of the main tasks' gradients.
        cosine_error: The standard error of `cosine`.
        conflicts: Fraction of the steps in which the cosine is negative.
        affinity: Mean affinity onto the main tasks in the batch; None if it was not measured.
        affinity_error: The standard error of `affinity`.
        affinity_steps: Number of steps with a measured affinity.
    """

    steps: int
    cosine: float | None
    cosine_error: float | None
    conflicts: float | None
    affinity: float | None
    affinity_error: float | None
    affinity_steps: int


@dataclass(frozen=True)
class TaskGrouping:
    """A grouping of the main tasks into networks, chosen on every second observed step and checked on the others.

    Attributes:
        networks: The task names of each network.
        criterion: The criterion: `affinity`, or `cosine` where affinity was not measured.
        improvement: Improvement of the objective (the sum over networks of the influences between their tasks, divided
            by the number of tasks) over one network for all tasks, on the steps that were not used for the choice.
        error: The standard error of `improvement`, if pairs and steps were independent; None if it is unknown.
        steps: Minimum over pairs of the number of steps that contain the pair and were not used for the choice;
            pairs that were never observed together are ignored.
        unknown_pairs: Number of pairs that were never observed together; they count as having no influence.
    """

    networks: Sequence[Sequence[str]]
    criterion: str
    improvement: float
    error: float | None
    steps: int
    unknown_pairs: int


@dataclass(frozen=True)
class TaskInteractions:
    """The measured task interactions of a run.

    Attributes:
        tasks: Task names: main tasks, then auxiliary tasks.
        observed_steps: Number of observed steps.
        cosine: Mean cosine between the gradients of each pair of tasks.
        cosine_error: The standard errors of `cosine`.
        conflicts: Fraction of the steps in which the cosine is negative, per pair.
        steps: Number of steps with both tasks, per pair.
        norms: Mean gradient norm per task.
        by_epoch: The mean cosines of each epoch with an observed step; empty for more than 50 tasks.
        affinity: Mean affinity of the row's task onto the column's task; None if it was not measured.
        affinity_error: The standard errors of `affinity`.
        groupings: Maximum number of networks to grouping of the main tasks; None for a single main task, or
            more than 50.
        auxiliary: Name of each auxiliary task to its interaction with the main tasks.
        suggestions: Recommendations, in sentences.
        gradients: What the gradients are with respect to: the shared `parameters`, or the `features` that heads read.
    """

    tasks: Sequence[str]
    observed_steps: int
    cosine: Matrix
    cosine_error: Matrix
    conflicts: Matrix
    steps: Sequence[Sequence[int]]
    norms: Row
    by_epoch: Sequence[EpochCosine]
    affinity: Matrix | None
    affinity_error: Matrix | None
    groupings: Mapping[str, TaskGrouping] | None
    auxiliary: Mapping[str, AuxiliaryInteraction]
    suggestions: Sequence[str] = ()
    gradients: Literal["parameters", "features"] = "parameters"

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The indices of all pairs of tasks whose gradients were observed in the same step."""
        indices = range(len(self.tasks))
        return [(a, b) for a in indices for b in indices if a < b and self.cosine[a][b] is not None]

    def write(self, path: Path) -> None:
        """Write `interactions.json`.

        Raises:
            MtlError: If it cannot be written.
        """
        groupings = self.groupings
        nested = {
            "by_epoch": [asdict(epoch) for epoch in self.by_epoch],
            "groupings": None if groupings is None else {key: asdict(one) for key, one in groupings.items()},
            "auxiliary": {name: asdict(auxiliary) for name, auxiliary in self.auxiliary.items()},
        }
        content = {**vars(self), **nested}  # `asdict` of everything would copy every number of the matrices
        if len(self.tasks) > MAX_INDENTED_TASKS:
            write_text_atomically(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
            return
        write_text_atomically(path, dump_json(content))


def read_interactions(path: Path) -> TaskInteractions | None:
    """Read `interactions.json`.

    Returns:
        The interactions; None if the file does not exist.

    Raises:
        MtlError: If the file is damaged.
    """
    if not path.is_file():
        return None
    interactions = parse_schema(TaskInteractions, read_json(path), path)
    size = len(interactions.tasks)
    matrices = [interactions.cosine, interactions.cosine_error, interactions.conflicts, interactions.steps]
    matrices += [epoch.cosine for epoch in interactions.by_epoch]
    matrices += [matrix for matrix in (interactions.affinity, interactions.affinity_error) if matrix is not None]
    if any(len(matrix) != size or any(len(row) != size for row in matrix) for matrix in matrices):
        raise MtlError(f"{path}: damaged: expected {size} rows of {size} numbers, one per task")
    return interactions


def mask_diagonal(matrix: Matrix) -> Matrix:
    """Replace the diagonal, which has no meaning between different tasks, by None."""
    return [[None if a == b else value for b, value in enumerate(row)] for a, row in enumerate(matrix)]
