"""A division of tasks into networks, as stored in `groups.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mtl_core.artifacts.json_files import dump_json, parse_schema, read_json
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError

GROUPS_FILE, GROUPS_PLAN_FILE = "groups.json", "groups.plan.json"
"""The division, and the plan of its trainings, in the output directory of `mtl group`."""


@dataclass(frozen=True)
class GroupChoice:
    """The choice between one network for all tasks, the groups, and one network per task.

    Attributes:
        variant: The variant with the best score on validation data: `together`, `grouped` or `apart`.
        validation: What the comparison on validation data shows, as sentences.
        test: What the comparison on test data shows, as sentences; empty without a test split.
    """

    variant: str
    validation: Sequence[str]
    test: Sequence[str]


@dataclass(frozen=True)
class TaskGroups:
    """A division of tasks into networks.

    Attributes:
        experiment: The name of the experiment.
        seed: The seed of the measurement, and of clustering.
        networks: The task names of each network, the largest network first.
        max_networks: The maximum number of networks.
        gradients: What the compared gradients are with respect to: `features`, or `parameters`.
        epochs: Number of epochs of the measurement.
        steps: Number of measured steps.
        undefined_pairs: Number of pairs of tasks without a defined affinity; they count as having no influence.
        objective: The objective: the sum over networks of the affinities between their tasks, divided by their number.
        together_objective: The objective of one network for all tasks.
        bound: An upper bound of the objective of all divisions into as many networks or fewer.
        choice: The choice on validation data; None if the networks were not trained.
    """

    experiment: str
    seed: int
    networks: Sequence[Sequence[str]]
    max_networks: int
    gradients: Literal["parameters", "features"]
    epochs: int
    steps: int
    undefined_pairs: int
    objective: float
    together_objective: float
    bound: float
    choice: GroupChoice | None = None

    @property
    def gap(self) -> float:
        """The share of the bound that the objective may be below the optimum; 0 for a proven optimum."""
        return max(self.bound - self.objective, 0.0) / self.bound if self.bound > 0 else 0.0

    def write(self, path: Path) -> None:
        """Write `groups.json`.

        Raises:
            MtlError: If it cannot be written.
        """
        write_text_atomically(path, dump_json(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "TaskGroups":
        """Read `groups.json`.

        Raises:
            MtlError: If the file cannot be read or is damaged.
        """
        groups = parse_schema(cls, read_json(path), path)
        names = [name for network in groups.networks for name in network]
        if len(set(names)) != len(names) or not all(groups.networks):
            raise MtlError(f"{path}: damaged: expected each task in one network, and no empty network")
        return groups
