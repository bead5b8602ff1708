"""Planted groups of tasks are found, and the measurement is what finds them."""

from pathlib import Path

import numpy as np
import pytest
from planted import SMALL, compute_rand_index, label_tasks, planted_groups, shuffle
from rich.console import Console

from mtl_core.artifacts.groups import TaskGroups
from mtl_core.artifacts.interactions import read_interactions
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.evaluation.task_grouping import find_grouping
from mtl_core.experiments.group.run_group import load_grouped_tasks, measure_and_divide

EPOCHS = 4
"""Measured epochs, of twenty."""


def divide(folder: Path, seed: int) -> tuple[TaskGroups, list[int]]:
    """Generate data, and divide its tasks; return the division, and the planted group of each task."""
    truth = planted_groups.write_planted_groups(folder, SMALL, seed, epochs=20, width=64)
    source, overrides = ExperimentFile(str(folder / "planted.yaml")), ["optimizer.lr=0.003"]
    base = source.load(overrides)
    tasks = load_grouped_tasks(base, 4, trains_networks=False)
    division = measure_and_divide(source, overrides, base, tasks, 4, EPOCHS, folder / "groups", Console(quiet=True))
    return division.groups, truth


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskGroups, list[int]]:
    """The folder of a division, the division, and the planted group of each task."""
    folder: Path = tmp_path_factory.mktemp("divided")
    return folder, *divide(folder, 0)


@pytest.mark.parametrize("seed", range(3))
def test_planted_groups_are_found(tmp_path: Path, seed: int, divided: tuple[Path, TaskGroups, list[int]]) -> None:
    groups, truth = divide(tmp_path, seed)
    labels = label_tasks(groups)
    assert compute_rand_index(truth, labels) >= 0.95
    assert compute_rand_index(truth, shuffle(labels, seed)) < 0.3
    assert groups.gradients == "features"
    assert groups.epochs == EPOCHS
    assert groups.objective > 2 * abs(groups.together_objective)
    assert groups.objective <= groups.bound
    assert groups.undefined_pairs == 0
    assert (groups == divided[1]) == (seed == 0)  # equal data and seeds give equal divisions


def test_wrong_affinities_find_no_planted_group(divided: tuple[Path, TaskGroups, list[int]]) -> None:
    """The sign and the pairs of affinities matter: the index is low for negated and for shuffled affinities."""
    folder, _, truth = divided
    interactions = read_interactions(folder / "groups" / "interactions.json")
    assert interactions is not None
    affinity = np.array(interactions.affinity, dtype=np.float64)
    assert not np.allclose(affinity, affinity.T)

    def compute_index(values: np.ndarray) -> float:
        networks = find_grouping(values, 4).networks
        labels = [next(index for index, network in enumerate(networks) if task in network) for task in range(20)]
        return compute_rand_index(truth, labels)

    assert compute_index(affinity) >= 0.95
    assert compute_index(affinity.T) >= 0.95  # the objective adds both directions
    assert compute_index(-affinity) < 0.3
    assert compute_index(affinity[np.random.default_rng(0).permutation(20)]) < 0.3
