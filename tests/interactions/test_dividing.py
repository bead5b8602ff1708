"""Grouping of tasks into networks, compared with an exhaustive search."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_core.evaluation.task_grouping import MAX_EXHAUSTIVE_TASKS, compute_objective, find_grouping

Matrix = NDArray[np.float64]


def iterate_groupings(n_tasks: int, n_networks: int) -> Iterator[list[list[int]]]:
    """Return all groupings of the tasks into at most `n_networks` networks."""

    def assign_task(task: int, grouping: list[list[int]]) -> Iterator[list[list[int]]]:
        if task == n_tasks:
            yield [list(network) for network in grouping]
            return
        for network in grouping:
            network.append(task)
            yield from assign_task(task + 1, grouping)
            network.pop()
        if len(grouping) < n_networks:
            yield from assign_task(task + 1, [*grouping, [task]])

    return assign_task(0, [])


def compute_expected_objective(influence: Matrix, grouping: list[list[int]]) -> float:
    """Return the sum over tasks of the mean influence on each task from the other tasks in its network."""
    total = 0.0
    for network in grouping:
        for task in network:
            incoming = [float(influence[other, task]) for other in network if other != task]
            total += sum(value for value in incoming if value == value) / len(incoming) if incoming else 0.0
    return total


@st.composite
def draw_influence(draw: st.DrawFn, max_tasks: int = 7) -> Matrix:
    n_tasks = draw(st.integers(2, max_tasks))
    values = st.one_of(st.integers(-3, 3).map(float), st.floats(-1, 1), st.just(float("nan")))
    return np.array(
        draw(st.lists(st.lists(values, min_size=n_tasks, max_size=n_tasks), min_size=n_tasks, max_size=n_tasks))
    )


@settings(max_examples=60, deadline=None)
@given(draw_influence(), st.integers(2, 5))
def test_best_grouping_is_found(influence: Matrix, n_networks: int) -> None:
    n_tasks = len(influence)
    grouping = find_grouping(influence, n_networks)
    assert sorted(task for network in grouping for task in network) == list(range(n_tasks))
    assert len(grouping) <= n_networks
    best = max(
        compute_expected_objective(influence, other_grouping)
        for other_grouping in iterate_groupings(n_tasks, n_networks)
    )
    assert compute_expected_objective(influence, grouping) >= best - 1e-9
    assert abs(compute_objective(influence, grouping) - compute_expected_objective(influence, grouping)) < 1e-9
    smaller_groupings = list(iterate_groupings(n_tasks, len(grouping) - 1)) if len(grouping) > 1 else []
    assert all(compute_expected_objective(influence, other_grouping) < best for other_grouping in smaller_groupings)
    assert find_grouping(influence, n_networks) == grouping


def build_known_groups(sizes: list[int], noise: float = 0.2) -> tuple[Matrix, list[list[int]]]:
    """Return an influence matrix with known groups in shuffled order, and the groups.

    Tasks help the tasks of their group and harm all other tasks.
    """
    rng = np.random.default_rng(0)
    kinds = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    influence = np.where(kinds[:, None] == kinds, 1.0, -1.0) + rng.normal(size=(len(kinds), len(kinds))) * noise
    groups = [np.flatnonzero(kinds == kind).tolist() for kind in range(len(sizes))]
    return influence, sorted(groups)


def test_known_groups_of_many_tasks_are_found() -> None:
    for sizes in ([9, 6], [5, 8, 12], [30, 20, 10]):
        influence, groups = build_known_groups(sizes)
        assert len(influence) > MAX_EXHAUSTIVE_TASKS
        assert find_grouping(influence, len(sizes)) == groups


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_no_single_move_improves_a_grouping_of_many_tasks(seed: int, n_networks: int) -> None:
    influence = np.random.default_rng(seed).normal(size=(14, 14))
    grouping = find_grouping(influence, n_networks)
    value = compute_expected_objective(influence, grouping)
    assert value >= compute_expected_objective(influence, [list(range(14))])
    for task in range(14):
        remaining = [[other for other in network if other != task] for network in grouping]
        for target in range(len(grouping)):
            changed_grouping = [
                [*network, task] if index == target else network for index, network in enumerate(remaining)
            ]
            assert compute_expected_objective(influence, changed_grouping) <= value + 1e-9


def test_helpful_tasks_share_a_network_and_harmful_ones_do_not() -> None:
    assert find_grouping(np.ones((4, 4)), 3) == [[0, 1, 2, 3]]
    assert find_grouping(-np.ones((3, 3)), 3) == [[0], [1], [2]]
    assert find_grouping(np.full((3, 3), np.nan), 3) == [[0, 1, 2]]
    # Tasks 0 and 1 help each other; task 2 harms both.
    assert find_grouping(np.array([[0, 1, -1], [1, 0, -1], [0.1, 0.1, 0]]), 2) == [[0, 1], [2]]
