"""Task grouping: which tasks to train in one network, given their influence on each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Networks = list[list[int]]

MAX_EXHAUSTIVE_TASKS = 12
"""Maximum number of tasks for exhaustive search."""
MIN_IMPROVEMENT = 1e-12
"""Smaller differences are rounding errors."""


def find_grouping(influence: Matrix, max_networks: int) -> Networks:
    """Group tasks into networks, so that the tasks of a network help each other as much as possible.

    The objective is the sum over tasks of the mean influence on the task from the other tasks in its network
    (Fifty et al., 2021). A single task in a network counts 0, and so does an unknown pair. Unlike in
    the paper, each task is in exactly one network. Ties go to the grouping with fewer networks.

    Up to 12 tasks, the search is exhaustive. For more tasks, two groupings are improved by moving single tasks,
    the largest improvement first: all tasks in one network, and the result of agglomerative merging of single
    tasks. The better result is returned; it may be a local optimum.

    Args:
        influence: `(tasks, tasks)`, float64: influence of the row's task on the column's task; NaN if unknown.
        max_networks: Maximum number of networks.

    Returns:
        The sorted task indices of each network.
    """
    known = np.nan_to_num(influence, nan=0.0)
    np.fill_diagonal(known, 0.0)
    symmetric_influence: Matrix = known + known.T
    grouping = (
        _search_exhaustively(symmetric_influence, max_networks)
        if len(symmetric_influence) <= MAX_EXHAUSTIVE_TASKS
        else _search_locally(symmetric_influence, max_networks)
    )
    return sorted(sorted(network) for network in grouping)


def compute_objective(influence: Matrix, grouping: Sequence[Sequence[int]]) -> float:
    """Compute the objective of `divide` for a grouping."""
    weighted = np.nan_to_num(influence, nan=0.0) * compute_pair_weights(len(influence), grouping)
    return float(weighted.sum())


def compute_pair_weights(n_tasks: int, grouping: Sequence[Sequence[int]]) -> Matrix:
    """Return the weight of the influence of the row's task on the column's task in a grouping, `(tasks, tasks)`."""
    weights = np.zeros((n_tasks, n_tasks))
    for network in grouping:
        if len(network) > 1:
            weights[np.ix_(network, network)] = 1 / (len(network) - 1)
    np.fill_diagonal(weights, 0.0)
    return weights


def _search_exhaustively(symmetric_influence: Matrix, max_networks: int) -> Networks:
    """Search all subsets of tasks exhaustively; a subset is an integer whose bits are its members."""
    n_tasks = len(symmetric_influence)
    values = [_compute_value(symmetric_influence, _list_members(members)) for members in range(1 << n_tasks)]
    best = list(values)
    first_networks: list[list[int]] = [list(range(1 << n_tasks))]  # the network of the lowest task in the best grouping
    for _ in range(max_networks - 1):
        best_with_fewer, best, choices = best, list(best), list(first_networks[-1])
        for members in range(1, 1 << n_tasks):
            lowest = members & -members
            excluded = candidates = members ^ lowest
            while excluded:  # the tasks in other networks than the lowest task
                score = values[members ^ excluded] + best_with_fewer[excluded]
                if score > best[members] + MIN_IMPROVEMENT:
                    best[members], choices[members] = score, members ^ excluded
                excluded = (excluded - 1) & candidates
        first_networks.append(choices)
    grouping, remaining = [], (1 << n_tasks) - 1
    for choices in reversed(first_networks):
        if remaining:
            grouping.append(_list_members(choices[remaining]))
            remaining ^= choices[remaining]
    return grouping


def _search_locally(symmetric_influence: Matrix, max_networks: int) -> Networks:
    initial_groupings = [
        [list(range(len(symmetric_influence)))],
        _merge_networks(symmetric_influence, max_networks),
    ]
    groupings = [
        _improve_grouping(symmetric_influence, initial_grouping, max_networks) for initial_grouping in initial_groupings
    ]
    scores = [sum(_compute_value(symmetric_influence, network) for network in grouping) for grouping in groupings]
    return groupings[1] if scores[1] > scores[0] + MIN_IMPROVEMENT else groupings[0]


def _merge_networks(symmetric_influence: Matrix, max_networks: int) -> Networks:
    """Merge networks agglomeratively, starting with single tasks, by the largest improvement."""
    grouping = [[task] for task in range(len(symmetric_influence))]
    while len(grouping) > 1:
        values = [_compute_value(symmetric_influence, network) for network in grouping]
        improvements = {
            (a, b): _compute_value(symmetric_influence, grouping[a] + grouping[b]) - values[a] - values[b]
            for a in range(len(grouping))
            for b in range(a + 1, len(grouping))
        }
        (a, b), improvement = max(improvements.items(), key=lambda item: item[1])
        if len(grouping) <= max_networks and improvement <= MIN_IMPROVEMENT:
            break
        grouping[a] = grouping[a] + grouping.pop(b)
    return grouping


def _improve_grouping(symmetric_influence: Matrix, grouping: Networks, max_networks: int) -> Networks:
    """Move one task at a time, by the largest improvement, until no move improves the objective."""
    grouping = [list(network) for network in grouping]
    while True:
        candidates = [*grouping, []] if len(grouping) < max_networks else grouping
        values = [_compute_value(symmetric_influence, network) for network in candidates]
        best_improvement, move = MIN_IMPROVEMENT, None
        for source, network in enumerate(grouping):
            for task in network:
                removal_change = (
                    _compute_value(symmetric_influence, [other for other in network if other != task]) - values[source]
                )
                for target, candidate in enumerate(candidates):
                    improvement = (
                        removal_change + _compute_value(symmetric_influence, [*candidate, task]) - values[target]
                    )
                    if target != source and improvement > best_improvement:
                        best_improvement, move = improvement, (task, source, target)
        if move is None:
            return grouping
        task, source, target = move
        candidates[source].remove(task)
        candidates[target].append(task)
        grouping = [network for network in candidates if network]


def _compute_value(symmetric_influence: Matrix, members: Sequence[int]) -> float:
    """Return the contribution of one network to the objective."""
    if len(members) < 2:
        return 0.0
    return float(symmetric_influence[np.ix_(members, members)].sum()) / 2 / (len(members) - 1)


def _list_members(bits: int) -> list[int]:
    return [index for index in range(bits.bit_length()) if bits >> index & 1]
