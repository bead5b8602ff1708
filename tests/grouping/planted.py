"""Data with planted groups of tasks, from the generator of the benchmark `task_groups`."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from mtl_core.artifacts.groups import TaskGroups

PATH = Path(__file__).parents[2] / "benchmarks" / "planted_groups.py"
SPEC = importlib.util.spec_from_file_location("planted_groups", PATH)
assert SPEC is not None
assert SPEC.loader is not None
planted_groups: Any = importlib.util.module_from_spec(SPEC)
sys.modules["planted_groups"] = planted_groups
SPEC.loader.exec_module(planted_groups)

SMALL = planted_groups.PlantedGroups(n_tasks=20, n_groups=4, n_examples=1200, n_inputs=20, n_hidden=1, noise=0.5)
"""Few tasks, of which those of a group have one teacher."""


def label_tasks(groups: TaskGroups) -> list[int]:
    """Return the network of each task, in the order of the task names."""
    network_by_task = {task: number for number, network in enumerate(groups.networks) for task in network}
    return [network_by_task[task] for task in sorted(network_by_task)]


def compute_rand_index(truth: list[int], labels: list[int]) -> float:
    """Return the adjusted Rand index of two divisions: 1 for equal ones, 0 expected for random ones."""
    return float(adjusted_rand_score(truth, labels))


def shuffle(labels: list[int], seed: int) -> list[int]:
    """Return a random division with the same sizes."""
    return [int(label) for label in np.random.default_rng(seed).permutation(labels)]
