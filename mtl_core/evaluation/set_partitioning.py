"""Set partitioning: the best choice of candidate networks that contains each task once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def choose_networks(
    candidates: Sequence[Sequence[int]], values: NDArray[np.float64], n_tasks: int, max_networks: int
) -> list[list[int]]:
    """Choose candidate networks with the largest sum of values, so that each task is in exactly one of them.

    The choice is the optimum of an integer program (`scipy.optimize.milp`, HiGHS).

    Args:
        candidates: The task indices of each candidate network; one of them contains all tasks.
        values: `(candidates,)`, float64: the value of each candidate.
        n_tasks: Number of tasks.
        max_networks: Maximum number of networks.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    sizes = [len(network) for network in candidates]
    membership = csc_array(
        (np.ones(sum(sizes)), np.concatenate(candidates), np.concatenate([[0], np.cumsum(sizes)])),
        shape=(n_tasks, len(candidates)),
    )
    result = milp(
        -values,
        integrality=np.ones(len(candidates)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(membership, 1, 1),
            LinearConstraint(np.ones((1, len(candidates))), 0, max_networks),
        ],
        options={"mip_rel_gap": 0.0},
    )
    assert result.x is not None, result.message  # noqa: S101  one candidate contains all tasks
    return [list(candidates[index]) for index in np.flatnonzero(result.x > 0.5).tolist()]
