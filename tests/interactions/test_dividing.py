"""Grouping of tasks into networks, compared with an exhaustive search."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_core.errors import MtlError
from mtl_core.evaluation import task_grouping
from mtl_core.evaluation.grouping_proof import prove_grouping
from mtl_core.evaluation.task_grouping import (
    MAX_ENUMERATED_TASKS,
    MIN_IMPROVEMENT,
    check_network_count,
    compute_objective,
    find_grouping,
)

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
    """Return the sum over tasks of the influence from the other tasks in its network, divided by the network's size."""
    total = 0.0
    for network in grouping:
        for task in network:
            incoming = [float(influence[other, task]) for other in network if other != task]
            total += sum(value for value in incoming if value == value) / len(network)
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
    solution = find_grouping(influence, n_networks)
    networks = solution.networks
    assert sorted(task for network in networks for task in network) == list(range(n_tasks))
    assert len(networks) <= n_networks
    best = max(
        compute_expected_objective(influence, other_grouping)
        for other_grouping in iterate_groupings(n_tasks, n_networks)
    )
    scale = float(np.nan_to_num(np.abs(influence - np.diag(np.diag(influence)))).max())
    tolerance = 2 * MIN_IMPROVEMENT * n_networks * scale + 1e-9
    assert compute_expected_objective(influence, networks) >= best - tolerance
    assert abs(compute_objective(influence, networks) - compute_expected_objective(influence, networks)) < 1e-9
    assert abs(solution.objective - compute_expected_objective(influence, networks)) < 1e-9
    assert solution.bound >= best - tolerance
    assert solution.gap < 1e-9
    assert find_grouping(influence, n_networks) == solution


def test_a_network_more_needs_an_improvement() -> None:
    # Both groupings are equally good: two tasks without influence on each other.
    assert find_grouping(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0.0]]), 3).networks == [[0, 1], [2]]
    assert find_grouping(np.array([[0, 1.0, 1], [1, 0, 1], [1, 1, 0]]), 3).networks == [[0, 1, 2]]
    assert find_grouping(np.diag([1.0, 2.0, 3.0]), 3).networks == [[0, 1, 2]]


def build_known_groups(sizes: list[int], noise: float = 0.2, seed: int = 0) -> tuple[Matrix, list[list[int]]]:
    """Return an influence matrix with known groups in shuffled order, and the groups.

    Tasks help the tasks of their group and harm all other tasks.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    influence = np.where(kinds[:, None] == kinds, 1.0, -1.0) + rng.normal(size=(len(kinds), len(kinds))) * noise
    groups = [np.flatnonzero(kinds == kind).tolist() for kind in range(len(sizes))]
    return influence, sorted(groups)


@pytest.mark.parametrize("sizes", [[9, 6], [5, 8, 12], [30, 20, 10]])
def test_known_groups_of_many_tasks_are_found(sizes: list[int]) -> None:
    influence, groups = build_known_groups(sizes)
    assert len(influence) > MAX_ENUMERATED_TASKS
    solution = find_grouping(influence, len(sizes))
    assert solution.networks == groups
    assert solution.objective == pytest.approx(compute_expected_objective(influence, groups))
    assert solution.objective <= solution.bound
    assert solution.gap < 0.35
    # The other way round, tasks of different groups help each other.
    assert find_grouping(-influence, len(sizes)).networks != groups


@pytest.mark.parametrize("seed", range(3))
def test_bound_covers_every_grouping(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without enumeration, the clusters are candidates, and the bound is that of eigenvalues or of pairs."""
    monkeypatch.setattr(task_grouping, "MAX_ENUMERATED_TASKS", 4)
    influence = np.random.default_rng(seed).normal(size=(7, 7))
    influence[3, 5] = np.nan
    best = max(compute_expected_objective(influence, grouping) for grouping in iterate_groupings(7, 3))
    clustered = find_grouping(influence, 3, time_limit=0.0)
    assert clustered.objective <= best + 1e-9
    assert clustered.bound >= best - 1e-9
    assert clustered.gap > 0
    proven = find_grouping(influence, 3, time_limit=60.0)
    assert proven.objective == pytest.approx(best, abs=1e-3)
    assert proven.bound == pytest.approx(best, abs=1e-3)


def test_integer_program_over_pairs_finds_the_best_grouping() -> None:
    for seed in range(3):
        influence = np.random.default_rng(seed).normal(size=(6, 6))
        np.fill_diagonal(influence, 0.0)
        pairs = (influence + influence.T) / 2
        best = max(iterate_groupings(6, 3), key=lambda grouping: compute_expected_objective(pairs, grouping))
        objective = compute_expected_objective(pairs, best)
        proof = prove_grouping(pairs, 3, -10.0, 60.0)
        assert proof.networks == sorted(sorted(network) for network in best)
        assert proof.bound == pytest.approx(objective)
        assert prove_grouping(pairs, 3, objective + 0.01, 60.0).networks is None


def test_helpful_tasks_share_a_network_and_harmful_ones_do_not() -> None:
    assert find_grouping(np.ones((4, 4)), 3).networks == [[0, 1, 2, 3]]
    assert find_grouping(-np.ones((3, 3)), 3).networks == [[0], [1], [2]]
    assert find_grouping(np.full((3, 3), np.nan), 3).networks == [[0, 1, 2]]
    # Tasks 0 and 1 help each other; task 2 harms both.
    assert find_grouping(np.array([[0, 1, -1], [1, 0, -1], [0.1, 0.1, 0]]), 2).networks == [[0, 1], [2]]


def test_scale_of_influences_does_not_matter() -> None:
    influence, groups = build_known_groups([3, 4])
    assert find_grouping(influence * 1e-9, 2).networks == find_grouping(influence * 1e6, 2).networks == groups


def test_more_networks_than_tasks_are_refused() -> None:
    check_network_count(3, 3, "--networks")
    with pytest.raises(MtlError, match=r"^--networks: 4 networks for 3 tasks; expected at most one network per task$"):
        check_network_count(4, 3, "--networks")
