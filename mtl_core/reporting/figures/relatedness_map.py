"""A map of related tasks: a dendrogram, and a heat map in the order of its leaves."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.heatmap import MAX_OPACITY, N_SHADES
from mtl_core.reporting.figures.layout import add_axes, estimate_text_width
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import join_with_and, truncate_label
from mtl_core.reporting.task_clusters import TaskClusters

MAX_LABELLED_TASKS = 60
"""Maximum number of tasks with a label; of more tasks, clusters are labelled."""
MAX_CELLS = 90
"""Maximum number of rows of the heat map; of more tasks, a cell is the mean of several pairs."""
DENDROGRAM_WIDTH = 0.9
"""Width of the dendrogram in inches."""
MIN_MAP_SIZE, MAX_MAP_SIZE = 1.6, 5.2
"""Smallest and largest size of the heat map in inches."""
TASK_SIZE = 0.17
"""Height of a labelled task in inches."""
Floats = NDArray[np.float64]


def draw_relatedness_map(
    name: str, tasks: Sequence[str], clusters: TaskClusters, palette: Palette, limit: float
) -> Drawing:
    """Draw the dendrogram of tasks on the left, and their similarities as a heat map in the same order.

    Args:
        name: The name of the figure, also the stem of its file name.
        tasks: The task names.
        clusters: The hierarchical clusters of the tasks.
        palette: The colours.
        limit: The similarity with full colour; larger values are clipped.
    """
    count = len(tasks)
    has_task_labels = count <= MAX_LABELLED_TASKS
    labels = (
        [truncate_label(tasks[task], 24) for task in clusters.order]
        if has_task_labels
        else [f"{number} ({len(members)})" for number, members in enumerate(clusters.clusters, start=1)]
    )
    size = float(np.clip(TASK_SIZE * count, MIN_MAP_SIZE, MAX_MAP_SIZE))
    if has_task_labels:
        size = max(TASK_SIZE * count, MIN_MAP_SIZE)
    margin = 0.15 + estimate_text_width(labels)
    figure = Figure(figsize=(DENDROGRAM_WIDTH + size + margin + 0.1, size + 0.15))
    _draw_dendrogram(add_axes(figure, 0.05, 0.05, size + margin + 0.05, 0.1), clusters, palette)
    axes = add_axes(figure, DENDROGRAM_WIDTH + 0.05, 0.05, margin, 0.1)
    axes.set_xlim(0, count)
    axes.set_ylim(count, 0)
    ordered = clusters.similarity[np.ix_(clusters.order, clusters.order)]
    _draw_cells(axes, ordered, limit, palette)
    axes.yaxis.tick_right()
    if has_task_labels:
        axes.set_yticks(np.arange(count) + 0.5, labels, fontsize=FONT_SIZE - 1)
    else:
        _label_clusters(axes, clusters, labels, palette, size)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Drawing(name, figure, _describe(tasks, clusters))


def _draw_dendrogram(axes: Axes, clusters: TaskClusters, palette: Palette) -> None:
    """Draw the merges from the leaves at the right to the root at the left."""
    count = len(clusters.order)
    positions = np.empty(2 * count - 1)
    positions[clusters.order] = np.arange(count) + 0.5
    heights = np.concatenate([np.zeros(count), clusters.merges[:, 2]])
    segments = []
    for index, (first, second, height, _) in enumerate(clusters.merges, start=count):
        low, high = int(first), int(second)
        positions[index] = (positions[low] + positions[high]) / 2
        segments.append(
            [
                (heights[low], positions[low]),
                (height, positions[low]),
                (height, positions[high]),
                (heights[high], positions[high]),
            ]
        )
    axes.add_collection(LineCollection(segments, colors=palette.muted, linewidths=0.6))
    base = min(float(heights[count:].min()), float(heights.max())) if count > 1 else 0.0
    largest = float(heights.max()) or 1.0
    axes.set_xlim(largest * 1.03, max(0.0, base - 0.25 * (largest - base)))
    axes.set_ylim(count, 0)
    axes.axis("off")


def _draw_cells(axes: Axes, values: Floats, limit: float, palette: Palette) -> None:
    """Draw runs of cells of one shade as one rectangle, and all rectangles of one shade as one path."""
    means, edges = _average_blocks(values)
    shades = np.sign(means) * np.ceil(np.clip(np.abs(means) / limit, 0, 1) * N_SHADES)
    rectangles: dict[int, list[tuple[float, float, float, float]]] = {}
    for row, row_shades in enumerate(np.nan_to_num(shades).astype(int)):
        starts = np.flatnonzero(np.diff(row_shades, prepend=row_shades[0] + 1))
        for start, stop in zip(starts, [*starts[1:], len(row_shades)], strict=True):
            if row_shades[start]:
                rectangle = (edges[start], edges[row], edges[stop], edges[row + 1])
                rectangles.setdefault(int(row_shades[start]), []).append(rectangle)
    for shade, bounds in sorted(rectangles.items()):
        path = Path.make_compound_path(*(_build_rectangle(*one) for one in bounds))
        color = palette.positive if shade > 0 else palette.negative
        opacity = MAX_OPACITY * abs(shade) / N_SHADES
        axes.add_artist(PathPatch(path, facecolor=color, alpha=opacity, linewidth=0, antialiased=False))


def _average_blocks(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the means of blocks of the matrix without unknown values, and the edges of the blocks."""
    count = len(values)
    edges = np.linspace(0, count, min(count, MAX_CELLS) + 1).round().astype(np.int64)
    known = ~np.isnan(values)
    sums, counts = (
        np.add.reduceat(np.add.reduceat(table, edges[:-1], axis=0), edges[:-1], axis=1)
        for table in (np.where(known, values, 0.0), known.astype(np.float64))
    )
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0), edges


def _build_rectangle(left: float, top: float, right: float, bottom: float) -> Path:
    vertices = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return Path(vertices, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])


def _label_clusters(axes: Axes, clusters: TaskClusters, labels: Sequence[str], palette: Palette, height: float) -> None:
    """Separate clusters by lines, and label them; labels of small clusters move down."""
    ends = np.cumsum([len(members) for members in clusters.clusters])
    starts = ends - [len(members) for members in clusters.clusters]
    for end in ends[:-1]:
        axes.axhline(end, color=palette.ink, linewidth=0.5)
        axes.axvline(end, color=palette.ink, linewidth=0.5)
    min_size = len(clusters.order) * (FONT_SIZE - 1) / 72 / height
    positions: list[float] = []
    for middle in ((starts + ends) / 2).tolist():
        positions.append(max(middle, positions[-1] + min_size) if positions else middle)
    axes.set_yticks(positions, labels, fontsize=FONT_SIZE - 1)


def _describe(tasks: Sequence[str], clusters: TaskClusters) -> str:
    if len(tasks) <= MAX_LABELLED_TASKS:
        ordered = join_with_and([tasks[task] for task in clusters.order], MAX_LABELLED_TASKS)
        return f"Dendrogram and heat map of {len(tasks)} tasks in the order {ordered}."
    sizes = [str(len(members)) for members in clusters.clusters]
    return f"Dendrogram and heat map of {len(tasks)} tasks, in clusters of {join_with_and(sizes)} tasks."
