"""Ratings as a chart: a dot with an interval per rating, one panel per aspect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtl_core import write_atomically
from mtl_core.reporting import (
    COLUMN_WIDTH,
    PAPER,
    UNDATED_METADATA,
    Drawing,
    Palette,
    add_axes,
    estimate_text_width,
    format_count,
    plot_style,
    pluralize,
    truncate_label,
)
from mtl_ratings.formatting import MAX_PRODUCTS, compare_to_mean, format_stars, select_products
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Rating, Ratings

ROW_HEIGHT = 0.24
"""Height of a product's row, in inches."""
PANEL_WIDTH = 1.75
"""Width of an aspect's panel, in inches, including the numbers of reviews at its side."""
MAX_COLUMNS = 5
"""Maximum number of panels per row."""
DPI = 200
"""Resolution of a PNG, in dots per inch."""


@dataclass(frozen=True)
class Panel:
    """One panel of the chart.

    Attributes:
        title: The aspect or product.
        rows: Label and rating per row, from top to bottom.
        means: The mean of all products per row; None with only one product.
    """

    title: str
    rows: Sequence[tuple[str, Rating]]
    means: Sequence[float | None]


def build_panels(ratings: Ratings) -> list[Panel]:
    """Build one panel per aspect; for a single product, one panel with one row per aspect."""
    products = select_products(ratings)
    if len(ratings.products) == 1:
        rows = [(one.aspect, ratings.ratings[products[0], one.aspect]) for one in ratings.aspects]
        return [Panel(products[0], rows, [None] * len(rows))]
    return [
        Panel(
            one.aspect,
            [(product, ratings.ratings[product, one.aspect]) for product in products],
            [one.mean] * len(products),
        )
        for one in ratings.aspects
    ]


def plot_aspects(ratings: Ratings, palette: Palette) -> list[Drawing]:
    """Plot each panel as a separate figure, narrow enough for a phone screen."""
    return [
        _plot_panel(panel, f"ratings-{index}", palette) for index, panel in enumerate(build_panels(ratings), start=1)
    ]


def _plot_panel(panel: Panel, name: str, palette: Palette) -> Drawing:
    labels = [truncate_label(label) for label, _ in panel.rows]
    figure = Figure(figsize=(COLUMN_WIDTH, 0.6 + ROW_HEIGHT * len(labels)))
    axes = add_axes(figure, 0.1 + estimate_text_width(labels), 0.3, 0.45, 0.28)
    _plot_ratings(axes, panel, palette, 24)
    axes.set_yticks(range(len(labels)), labels)
    return Drawing(name, figure, _describe_panel(panel))


def write_chart(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    """Write all panels as one chart, as PNG, SVG or PDF.

    Raises:
        MtlError: If the file cannot be written.
    """
    suffix = path.suffix.lower().removeprefix(".")
    with plot_style(PAPER), matplotlib.rc_context({"svg.hashsalt": "ratings"}):
        figure = _plot_chart(ratings, provenance, PAPER)
        write_atomically(
            path,
            lambda temporary: figure.savefig(temporary, format=suffix, dpi=DPI, metadata=UNDATED_METADATA.get(suffix)),
        )


def _plot_chart(ratings: Ratings, provenance: Provenance, palette: Palette) -> Figure:
    panels = build_panels(ratings)
    labels = [truncate_label(label) for label, _ in panels[0].rows]
    n_columns = min(MAX_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    left_margin, top_margin, bottom_margin = (
        0.2 + estimate_text_width(labels),
        0.4,
        0.5 + (0.16 if provenance.disclaimer else 0.0),
    )
    panel_height = ROW_HEIGHT * len(labels) + 0.62
    width = max(left_margin + PANEL_WIDTH * n_columns + 0.1, 5.2)
    panel_width = (width - left_margin - 0.1) / n_columns
    height = top_margin + panel_height * n_rows + bottom_margin
    figure = Figure(figsize=(width, height))
    for index, one in enumerate(panels):
        column, row = index % n_columns, index // n_columns
        bottom = height - top_margin - panel_height * (row + 1) + 0.3
        box = (left_margin + panel_width * column, bottom, panel_width - 0.5, ROW_HEIGHT * len(labels))
        axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        _plot_ratings(axes, one, palette, 16)
        axes.set_yticks(range(len(labels)), labels if column == 0 else [""] * len(labels))
    _add_annotations(figure, ratings, provenance, palette, len(panels) > 1)
    return figure


def _plot_ratings(axes: Axes, panel: Panel, palette: Palette, max_characters: int) -> None:
    """Plot intervals, with filled markers for ratings clearly unlike the mean and hollow markers for the others."""
    color = palette.series[0]
    if panel.means and panel.means[0] is not None:
        axes.axvline(panel.means[0], color=palette.muted, linewidth=0.8, linestyle="--", zorder=1)
    for row_index, ((_, one), mean) in enumerate(zip(panel.rows, panel.means, strict=True)):
        n = format_count(one.mentions)
        axes.annotate(
            n, (1, row_index), (5, 0), ("axes fraction", "data"), "offset points", va="center", color=palette.muted
        )
        if one.rating is None:
            background = {"facecolor": palette.paper, "edgecolor": "none", "pad": 1.5}
            label = axes.text(3, row_index, "too few", ha="center", va="center", color=palette.muted, style="italic")
            label.set_bbox(background)
            continue
        axes.hlines(row_index, one.rating.low, one.rating.high, color=color, linewidth=1.6, zorder=2)
        is_filled = mean is None or compare_to_mean(one, mean) != 0
        axes.plot(
            one.rating.value,
            row_index,
            marker="o",
            markersize=5.5,
            color=color,
            markerfacecolor=color if is_filled else palette.paper,
            markeredgewidth=1.3,
            zorder=3,
        )
    axes.set_xlim(0.9, 5.1)
    axes.set_xticks([1, 2, 3, 4, 5])
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_title(truncate_label(panel.title, max_characters), fontweight="bold")
    axes.annotate("n", (1, 1), (5, 6), "axes fraction", "offset points", color=palette.muted, style="italic")


def _add_annotations(
    figure: Figure, ratings: Ratings, provenance: Provenance, palette: Palette, has_several_panels: bool
) -> None:
    """Add title, legend and disclaimer."""
    width, height = figure.get_size_inches()
    left = 0.12 / width
    title = f"{pluralize(ratings.reviews, 'review')}, rated by aspect from 1 to 5"
    figure.text(left, 1 - 0.1 / height, title, fontsize=11, fontweight="bold", va="top")
    caption = "Line: 95 % interval. n: reviews that mention the aspect."
    if len(ratings.products) > MAX_PRODUCTS:
        caption += f" The {MAX_PRODUCTS} with the most reviews, of {format_count(len(ratings.products))}."
    disclaimer_height = 0.16 if provenance.disclaimer else 0.0
    figure.text(left, (0.08 + disclaimer_height) / height, caption, color=palette.muted, fontsize=7.5)
    if provenance.disclaimer:
        figure.text(left, 0.08 / height, truncate_label(provenance.disclaimer, 150), color=palette.ink, fontsize=7.5)
    if has_several_panels:
        color = palette.series[0]
        legend_keys = [
            _build_legend_key(color, color),
            _build_legend_key(color, palette.paper),
            Line2D([], [], color=palette.muted, linewidth=0.8, linestyle="--"),
        ]
        legend_labels = ["clearly above or below the mean of all", "not clearly so", "mean of all"]
        anchor = (0.05 / width, (0.22 + disclaimer_height) / height)
        figure.legend(
            legend_keys,
            legend_labels,
            loc="lower left",
            bbox_to_anchor=anchor,
            ncols=3,
            fontsize=7.5,
            borderaxespad=0,
        )


def _build_legend_key(color: str, face_color: str) -> Line2D:
    return Line2D([], [], color=color, markerfacecolor=face_color, marker="o", markersize=5.5, linewidth=1.6)


def _describe_panel(panel: Panel) -> str:
    descriptions = []
    for label, one in panel.rows:
        if one.rating is None:
            descriptions.append(f"{label}: too few mentions ({format_count(one.mentions)})")
        else:
            low, high = format_stars(one.rating.low), format_stars(one.rating.high)
            descriptions.append(
                f"{label}: {format_stars(one.rating.value)} ({low} to {high}, n = {format_count(one.mentions)})"
            )
    return f"Ratings from 1 to 5, {panel.title}. {'; '.join(descriptions)}."
