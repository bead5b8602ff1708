"""Task grouping: which tasks to train in one network, given their influence on each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Networks = list[list[int]]

EXACT = 12
"""Maximum number of tasks for exhaustive search."""
LEAST = 1e-12
"""Smaller differences are rounding errors."""


def divide(influence: Matrix, networks: int) -> Networks:
    """Group tasks into networks, so that the tasks of a network help each other as much as possible.

    The objective is the sum over tasks of the mean influence on the task from the other tasks in its network
    (Fifty et al., 2021). A single task in a network counts 0, and so does an unknown pair. Unlike in
    the paper, each task is in exactly one network. Ties go to the grouping with fewer networks.

    Up to 12 tasks, the search is exhaustive. For more tasks, two groupings are improved by moving single tasks,
    the largest improvement first: all tasks in one network, and the result of agglomerative merging of single
    tasks. The better result is returned; it may be a local optimum.

    Args:
        influence: `(tasks, tasks)`, float64: influence of the row's task on the column's task; NaN if unknown.
        networks: Maximum number of networks.

    Returns:
        The sorted task indices of each network.
    """
    known = np.nan_to_num(influence, nan=0.0)
    np.fill_diagonal(known, 0.0)
    both: Matrix = known + known.T
    found = _exactly(both, networks) if len(both) <= EXACT else _by_search(both, networks)
    return sorted(sorted(network) for network in found)


def influence_within(influence: Matrix, division: Sequence[Sequence[int]]) -> float:
    """Compute the objective of `divide` for a grouping."""
    weighed = np.nan_to_num(influence, nan=0.0) * shares(len(influence), division)
    return float(weighed.sum())


def shares(tasks: int, division: Sequence[Sequence[int]]) -> Matrix:
    """Return the weight of the influence of the row's task on the column's task in a grouping, `(tasks, tasks)`."""
    counts = np.zeros((tasks, tasks))
    for network in division:
        if len(network) > 1:
            counts[np.ix_(network, network)] = 1 / (len(network) - 1)
    np.fill_diagonal(counts, 0.0)
    return counts


def _exactly(both: Matrix, networks: int) -> Networks:
    """Search all subsets of tasks exhaustively; a subset is an integer whose bits are its members."""
    tasks = len(both)
    values = [_value(both, _members(members)) for members in range(1 << tasks)]
    best = list(values)
    first: list[list[int]] = [list(range(1 << tasks))]  # the network of the lowest task in the best grouping
    for _ in range(networks - 1):
        fewer, best, chosen = best, list(best), list(first[-1])
        for members in range(1, 1 << tasks):
            lowest = members & -members
            others = rest = members ^ lowest
            while others:  # the tasks in other networks than the lowest task
                score = values[members ^ others] + fewer[others]
                if score > best[members] + LEAST:
                    best[members], chosen[members] = score, members ^ others
                others = (others - 1) & rest
        first.append(chosen)
    division, left = [], (1 << tasks) - 1
    for chosen in reversed(first):
        if left:
            division.append(_members(chosen[left]))
            left ^= chosen[left]
    return division


def _by_search(both: Matrix, networks: int) -> Networks:
    starts = [[list(range(len(both)))], _merged(both, networks)]
    found = [_improved(both, start, networks) for start in starts]
    scores = [sum(_value(both, network) for network in division) for division in found]
    return found[1] if scores[1] > scores[0] + LEAST else found[0]


def _merged(both: Matrix, networks: int) -> Networks:
    """Merge networks agglomeratively, starting with single tasks, by the largest improvement."""
    division = [[task] for task in range(len(both))]
    while len(division) > 1:
        values = [_value(both, network) for network in division]
        gains = {
            (a, b): _value(both, division[a] + division[b]) - values[a] - values[b]
            for a in range(len(division))
            for b in range(a + 1, len(division))
        }
        (a, b), gain = max(gains.items(), key=lambda item: item[1])
        if len(division) <= networks and gain <= LEAST:
            break
        division[a] = division[a] + division.pop(b)
    return division


def _improved(both: Matrix, division: Networks, networks: int) -> Networks:
    """Move one task at a time, by the largest improvement, until no move improves the objective."""
    division = [list(network) for network in division]
    while True:
        homes = [*division, []] if len(division) < networks else division
        values = [_value(both, network) for network in homes]
        gain, move = LEAST, None
        for source, network in enumerate(division):
            for task in network:
                left = _value(both, [other for other in network if other != task]) - values[source]
                for target, home in enumerate(homes):
                    more = left + _value(both, [*home, task]) - values[target]
                    if target != source and more > gain:
                        gain, move = more, (task, source, target)
        if move is None:
            return division
        task, source, target = move
        homes[source].remove(task)
        homes[target].append(task)
        division = [network for network in homes if network]


def _value(both: Matrix, members: Sequence[int]) -> float:
    """Return the contribution of one network to the objective."""
    if len(members) < 2:
        return 0.0
    return float(both[np.ix_(members, members)].sum()) / 2 / (len(members) - 1)


def _members(bits: int) -> list[int]:
    return [place for place in range(bits.bit_length()) if bits >> place & 1]
