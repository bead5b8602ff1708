"""The map of related tasks: its order, its clusters, and its size with few and with many tasks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.reporting.blocks import FigureBlock, Table
from mtl_core.reporting.figures.inline_svg import render_inline_svg
from mtl_core.reporting.figures.palette import PAGE
from mtl_core.reporting.figures.style import plot_style
from mtl_core.reporting.interactions_section import build_interactions_section
from mtl_core.reporting.task_clusters import cluster_tasks

MAX_BYTES = 500_000


def build_similarities(n_tasks: int, n_groups: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return similarities of tasks in planted groups, and the group of each task."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.arange(n_tasks) % n_groups)
    noise = rng.normal(size=(n_tasks, n_tasks)) * 0.003
    return np.where(groups[:, None] == groups, 0.02, -0.005) + noise + noise.T, groups


def build_interactions(values: NDArray[np.float64]) -> TaskInteractions:
    count = len(values)
    zeros, names = np.zeros_like(values).tolist(), [f"task{index:03}" for index in range(count)]
    matrix = [
        [None if (row + column) % 17 == 3 else value for column, value in enumerate(cells)]
        for row, cells in enumerate(values.tolist())
    ]
    steps = np.full(values.shape, 20).tolist()
    return TaskInteractions(names, 20, matrix, zeros, zeros, steps, [1.0] * count, [], matrix, zeros, None, {})


@pytest.mark.parametrize(("n_tasks", "n_groups"), [(5, 2), (40, 4), (617, 6)])
def test_map_shows_groups_in_bounded_size(n_tasks: int, n_groups: int) -> None:
    values, groups = build_similarities(n_tasks, n_groups)
    with plot_style(PAGE):
        section = build_interactions_section(build_interactions(values), PAGE)
        figures = [block for block in section.blocks if isinstance(block, FigureBlock)]
        figure = next(figure for figure in figures if "dendrogram" in figure.caption)
        svg = render_inline_svg(figure.drawings[0])
    assert len(svg) < MAX_BYTES
    assert "var(--positive)" in svg
    assert "var(--negative)" in svg
    has_labels = n_tasks <= 60
    assert [f"task{index:03}" in svg.split(">", 1)[1] for index in range(n_tasks)] == [has_labels] * n_tasks
    assert (
        "Clusters of tasks" in [block.caption for block in section.blocks if isinstance(block, Table)]
    ) != has_labels
    ordered = groups[cluster_tasks(values.tolist()).order]
    assert np.count_nonzero(np.diff(ordered)) == n_groups - 1  # the tasks of a group are neighbours
    assert np.count_nonzero(np.diff(groups)) > n_groups


def test_neighbours_are_similar_and_clusters_partition_the_tasks() -> None:
    values, groups = build_similarities(100, 5)
    clusters = cluster_tasks(values.tolist())
    assert sorted(clusters.order) == list(range(100))
    assert [task for members in clusters.clusters for task in members] == list(clusters.order)
    assert len(clusters.clusters) <= 8
    assert all(len(set(groups[list(members)])) == 1 for members in clusters.clusters)
    neighbours = [clusters.similarity[pair] for pair in zip(clusters.order, clusters.order[1:], strict=False)]
    assert np.mean(neighbours) > np.nanmean(clusters.similarity) + 0.01


def test_two_tasks_have_no_map() -> None:
    with plot_style(PAGE):
        section = build_interactions_section(build_interactions(np.eye(2)), PAGE)
    assert not any("dendrogram" in block.caption for block in section.blocks if isinstance(block, FigureBlock))


def test_equal_similarities_are_drawn() -> None:
    """Nothing was measured, or all values are equal."""
    for values in (np.zeros((4, 4)), np.ones((4, 4))):
        with plot_style(PAGE):
            section = build_interactions_section(build_interactions(values), PAGE)
            figure = next(b for b in section.blocks if isinstance(b, FigureBlock) and "dendrogram" in b.caption)
            assert "<svg" in render_inline_svg(figure.drawings[0])
