"""Divide tasks into networks by their affinities."""

from collections.abc import Sequence

import numpy as np

from mtl_core.artifacts.groups import TaskGroups
from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.evaluation.task_grouping import compute_objective, find_grouping
from mtl_core.seeding import derive_seed

TIME_LIMIT = 20.0
"""Maximum time to prove that the division of up to 16 tasks is optimal, in seconds."""


def divide_tasks(
    config: ExperimentConfig, tasks: Sequence[str], interactions: TaskInteractions, max_networks: int, epochs: int
) -> TaskGroups:
    """Divide tasks into networks, so that the tasks of a network have large affinities; see `find_grouping`.

    Args:
        config: The experiment.
        tasks: The names of the active tasks.
        interactions: The measured affinities, of these tasks first.
        max_networks: Maximum number of networks.
        epochs: Number of measured epochs.
    """
    size = len(tasks)
    rows = [list(row[:size]) for row in (interactions.affinity or [])[:size]]
    affinity = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
    seed = derive_seed(config.seed, "grouping")
    solution = find_grouping(affinity, max_networks, seed, TIME_LIMIT)
    networks = sorted(solution.networks, key=lambda network: (-len(network), network))
    pairs = ~np.eye(size, dtype=bool)
    return TaskGroups(
        experiment=config.name,
        seed=config.seed,
        networks=[[tasks[index] for index in network] for network in networks],
        max_networks=max_networks,
        gradients=interactions.gradients,
        epochs=epochs,
        steps=interactions.observed_steps,
        undefined_pairs=int((np.isnan(affinity) & np.isnan(affinity.T) & pairs).sum()) // 2,
        objective=solution.objective,
        together_objective=compute_objective(affinity, [list(range(size))]),
        bound=solution.bound,
    )
