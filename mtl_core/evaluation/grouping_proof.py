"""An integer program over pairs of tasks, which proves that a grouping is optimal, or bounds the optimum."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.optimize import LinearConstraint
    from scipy.sparse import csr_array

Matrix = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class GroupingProof:
    """The result of the integer program.

    Attributes:
        networks: The optimal networks; None without a proof within the time limit, or without a better grouping.
        bound: An upper bound of the objective of all groupings; infinite if there is none.
    """

    networks: list[list[int]] | None
    bound: float


def prove_grouping(pairs: Matrix, max_networks: int, objective: float, time_limit: float) -> GroupingProof:
    """Search all groupings for one with a larger density of influence.

    The 0-1 matrix `together` states which tasks are in one network. The matrix `weights` is `together`, divided by the
    number of tasks of the network: its rows sum to 1, and its trace is the number of networks (Peng and Wei, 2007). The
    objective is linear in `weights`.

    Args:
        pairs: `(tasks, tasks)`, float64, symmetric with a diagonal of 0: the influence between two tasks.
        max_networks: Maximum number of networks.
        objective: The objective of a known grouping; only better groupings are searched.
        time_limit: Maximum time in seconds.

    Reference: J. Peng, Y. Wei: Approximating K-means-type Clustering via Semidefinite Programming. SIAM Journal on
    Optimization 18(1), 2007.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    n_tasks = len(pairs)
    rows, columns = np.triu_indices(n_tasks, 1)
    n_pairs = len(rows)
    costs = np.concatenate([-2 * pairs[rows, columns], np.zeros(n_tasks + n_pairs)])
    result = milp(
        costs,
        integrality=np.concatenate([np.zeros(n_pairs + n_tasks), np.ones(n_pairs)]),
        bounds=Bounds(0, np.concatenate([np.full(n_pairs, 0.5), np.ones(n_tasks), np.ones(n_pairs)])),
        constraints=[*_build_constraints(n_tasks, max_networks), LinearConstraint(-costs[None], objective, np.inf)],
        options={"time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    if result.status == 2:  # infeasible: no grouping is better
        return GroupingProof(None, objective)
    bound = -float(result.mip_dual_bound) if result.mip_dual_bound is not None else np.inf
    if result.status != 0:
        return GroupingProof(None, bound)
    together = np.eye(n_tasks, dtype=bool)
    together[rows, columns] = together[columns, rows] = result.x[n_pairs + n_tasks :] > 0.5
    networks = {tuple(np.flatnonzero(row).tolist()) for row in together}
    return GroupingProof([list(network) for network in sorted(networks)], bound)


def _build_constraints(n_tasks: int, max_networks: int) -> list["LinearConstraint"]:
    """Build the constraints on the variables: weights of pairs, weights of tasks, and `together` of pairs."""
    from scipy.optimize import LinearConstraint

    rows, columns = np.triu_indices(n_tasks, 1)
    n_pairs = len(rows)
    pair_weights, tasks = np.arange(n_pairs), np.arange(n_tasks)
    task_weights, together = n_pairs + tasks, n_pairs + n_tasks + pair_weights
    pair_index = np.zeros((n_tasks, n_tasks), dtype=np.int64)
    pair_index[rows, columns] = pair_index[columns, rows] = pair_weights
    n_variables = 2 * n_pairs + n_tasks

    def build(*terms: tuple[Indices, float], row_indices: Sequence[Indices] | None = None) -> "csr_array":
        return _build_matrix(n_variables, terms, row_indices)

    row_sums = build(
        (pair_weights, 1), (pair_weights, 1), (task_weights, 1), row_indices=(rows, columns, tasks)
    )  # of `weights`
    constraints = [
        LinearConstraint(row_sums, 1, 1),
        LinearConstraint(build((pair_weights, 1), (together, -0.5)), -np.inf, 0),
        LinearConstraint(build((task_weights, 1), row_indices=(np.zeros(n_tasks, dtype=np.int64),)), 0, max_networks),
    ]
    for ends in (rows, columns):  # a pair in one network has the weight of both tasks
        difference = build((pair_weights, 1), (task_weights[ends], -1))
        constraints.append(LinearConstraint(difference, -np.inf, 0))
        constraints.append(LinearConstraint(build((pair_weights, 1), (task_weights[ends], -1), (together, -1)), -1))
    triples = np.array(list(combinations(range(n_tasks), 3)), dtype=np.int64).reshape(-1, 3)
    sides = [together[pair_index[triples[:, a], triples[:, b]]] for a, b in ((0, 1), (1, 2), (0, 2))]
    for first, second, third in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):  # transitivity
        transitivity = build((sides[first], 1), (sides[second], 1), (sides[third], -1))
        constraints.append(LinearConstraint(transitivity, -np.inf, 1))
    return constraints


def _build_matrix(
    n_variables: int, terms: Sequence[tuple[Indices, float]], row_indices: Sequence[Indices] | None
) -> "csr_array":
    """Build a sparse matrix from terms: the variable of each row, and a coefficient."""
    from scipy.sparse import csr_array

    if row_indices is None:
        row_indices = [np.arange(len(variables)) for variables, _ in terms]
    values = np.concatenate([np.full(len(variables), coefficient) for variables, coefficient in terms])
    all_rows = np.concatenate(list(row_indices))
    all_variables = np.concatenate([variables for variables, _ in terms])
    n_rows = int(all_rows.max(initial=-1)) + 1
    return csr_array((values, (all_rows, all_variables)), shape=(n_rows, n_variables))
