"""Grouping of tasks into networks, compared with an exhaustive search."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_core.interactions.dividing import EXACT, divide, influence_within

Matrix = NDArray[np.float64]


def every_division(tasks: int, networks: int) -> Iterator[list[list[int]]]:
    """Return all groupings of the tasks into at most `networks` networks."""

    def place(task: int, division: list[list[int]]) -> Iterator[list[list[int]]]:
        if task == tasks:
            yield [list(network) for network in division]
            return
        for network in division:
            network.append(task)
            yield from place(task + 1, division)
            network.pop()
        if len(division) < networks:
            yield from place(task + 1, [*division, [task]])

    return place(0, [])


def by_hand(influence: Matrix, division: list[list[int]]) -> float:
    """Return the sum over tasks of the mean influence on each task from the other tasks in its network."""
    total = 0.0
    for network in division:
        for task in network:
            others = [float(influence[other, task]) for other in network if other != task]
            total += sum(value for value in others if value == value) / len(others) if others else 0.0
    return total


@st.composite
def influences(draw: st.DrawFn, most: int = 7) -> Matrix:
    tasks = draw(st.integers(2, most))
    values = st.one_of(st.integers(-3, 3).map(float), st.floats(-1, 1), st.just(float("nan")))
    return np.array(
        draw(st.lists(st.lists(values, min_size=tasks, max_size=tasks), min_size=tasks, max_size=tasks))
    )


@settings(max_examples=60, deadline=None)
@given(influences(), st.integers(2, 5))
def test_the_best_division_is_found(influence: Matrix, networks: int) -> None:
    tasks = len(influence)
    found = divide(influence, networks)
    assert sorted(task for network in found for task in network) == list(range(tasks))
    assert len(found) <= networks
    best = max(by_hand(influence, division) for division in every_division(tasks, networks))
    assert by_hand(influence, found) >= best - 1e-9
    assert abs(influence_within(influence, found) - by_hand(influence, found)) < 1e-9
    fewer = list(every_division(tasks, len(found) - 1)) if len(found) > 1 else []
    assert all(by_hand(influence, division) < best for division in fewer)
    assert divide(influence, networks) == found


def planted(sizes: list[int], noise: float = 0.2) -> tuple[Matrix, list[list[int]]]:
    """Return an influence matrix with known groups in shuffled order, and the groups.

    Tasks help the tasks of their group and harm all other tasks.
    """
    random = np.random.default_rng(0)
    kinds = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    influence = np.where(kinds[:, None] == kinds, 1.0, -1.0) + random.normal(size=(len(kinds), len(kinds))) * noise
    groups = [np.flatnonzero(kinds == kind).tolist() for kind in range(len(sizes))]
    return influence, sorted(groups)


def test_of_many_tasks_those_that_belong_together_are_found() -> None:
    for sizes in ([9, 6], [5, 8, 12], [30, 20, 10]):
        influence, groups = planted(sizes)
        assert len(influence) > EXACT
        assert divide(influence, len(sizes)) == groups


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_of_many_tasks_no_single_move_makes_it_better(seed: int, networks: int) -> None:
    influence = np.random.default_rng(seed).normal(size=(14, 14))
    found = divide(influence, networks)
    value = by_hand(influence, found)
    assert value >= by_hand(influence, [list(range(14))])
    for task in range(14):
        rest = [[other for other in network if other != task] for network in found]
        for target in range(len(found)):
            moved = [[*network, task] if place == target else network for place, network in enumerate(rest)]
            assert by_hand(influence, moved) <= value + 1e-9


def test_tasks_that_help_each_other_stay_together_and_those_that_harm_stand_alone() -> None:
    assert divide(np.ones((4, 4)), 3) == [[0, 1, 2, 3]]
    assert divide(-np.ones((3, 3)), 3) == [[0], [1], [2]]
    assert divide(np.full((3, 3), np.nan), 3) == [[0, 1, 2]]
    # Tasks 0 and 1 help each other; task 2 harms both.
    assert divide(np.array([[0, 1, -1], [1, 0, -1], [0.1, 0.1, 0]]), 2) == [[0, 1], [2]]
