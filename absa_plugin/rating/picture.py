"""Ratings as a chart: a dot with an interval per rating, one panel per aspect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from absa_plugin.rating.origin import Origin
from absa_plugin.rating.ratings import Rating, Ratings
from absa_plugin.rating.shown import MOST, shown_products, stands_out, stars
from mtl_core.atomic import write_atomically
from mtl_core.report.figures.canvas import COLUMN, NO_DATE, Drawing, axes_in, drawing, width_of
from mtl_core.report.figures.palette import PAPER, Palette
from mtl_core.report.wording import count, counted, shortened

ROW = 0.24
"""Height of a product's row, in inches."""
PANEL = 1.75
"""Width of an aspect's panel, in inches, including the numbers of reviews at its side."""
ACROSS = 5
"""Maximum number of panels per row."""
DOTS = 200
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


def panels_of(ratings: Ratings) -> list[Panel]:
    """Build one panel per aspect; for a single product, one panel with one row per aspect."""
    products = shown_products(ratings)
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


def aspect_drawings(ratings: Ratings, palette: Palette) -> list[Drawing]:
    """Plot each panel as a separate figure, narrow enough for a phone screen."""
    return [_drawn(panel, f"ratings-{place}", palette) for place, panel in enumerate(panels_of(ratings), start=1)]


def _drawn(panel: Panel, name: str, palette: Palette) -> Drawing:
    labels = [shortened(label) for label, _ in panel.rows]
    figure = Figure(figsize=(COLUMN, 0.6 + ROW * len(labels)))
    axes = axes_in(figure, 0.1 + width_of(labels), 0.3, 0.45, 0.28)
    _draw(axes, panel, palette, 24)
    axes.set_yticks(range(len(labels)), labels)
    return Drawing(name, figure, _text(panel))


def write_picture(ratings: Ratings, origin: Origin, path: Path) -> None:
    """Write all panels as one chart, as PNG, SVG or PDF.

    Raises:
        MtlError: If the file cannot be written.
    """
    suffix = path.suffix.lower().removeprefix(".")
    with drawing(PAPER), matplotlib.rc_context({"svg.hashsalt": "ratings"}):
        figure = _picture(ratings, origin, PAPER)
        write_atomically(
            path,
            lambda temporary: figure.savefig(temporary, format=suffix, dpi=DOTS, metadata=NO_DATE.get(suffix)),
        )


def _picture(ratings: Ratings, origin: Origin, palette: Palette) -> Figure:
    panels = panels_of(ratings)
    labels = [shortened(label) for label, _ in panels[0].rows]
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    left, head, foot = 0.2 + width_of(labels), 0.4, 0.5 + (0.16 if origin.notice else 0.0)
    tall = ROW * len(labels) + 0.62
    width = max(left + PANEL * across + 0.1, 5.2)
    panel = (width - left - 0.1) / across
    height = head + tall * down + foot
    figure = Figure(figsize=(width, height))
    for place, one in enumerate(panels):
        column, line = place % across, place // across
        bottom = height - head - tall * (line + 1) + 0.3
        box = (left + panel * column, bottom, panel - 0.5, ROW * len(labels))
        axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        _draw(axes, one, palette, 16)
        axes.set_yticks(range(len(labels)), labels if column == 0 else [""] * len(labels))
    _frame(figure, ratings, origin, palette, len(panels) > 1)
    return figure


def _draw(axes: Axes, panel: Panel, palette: Palette, letters: int) -> None:
    """Plot intervals, with filled markers for ratings clearly unlike the mean and hollow markers for the others."""
    color = palette.series[0]
    if panel.means and panel.means[0] is not None:
        axes.axvline(panel.means[0], color=palette.muted, linewidth=0.8, linestyle="--", zorder=1)
    for place, ((_, one), mean) in enumerate(zip(panel.rows, panel.means, strict=True)):
        n = count(one.mentions)
        axes.annotate(
            n, (1, place), (5, 0), ("axes fraction", "data"), "offset points", va="center", color=palette.muted
        )
        if one.rating is None:
            beneath = {"facecolor": palette.paper, "edgecolor": "none", "pad": 1.5}
            said = axes.text(3, place, "too few", ha="center", va="center", color=palette.muted, style="italic")
            said.set_bbox(beneath)
            continue
        axes.hlines(place, one.rating.low, one.rating.high, color=color, linewidth=1.6, zorder=2)
        filled = mean is None or stands_out(one, mean) != 0
        axes.plot(
            one.rating.value,
            place,
            marker="o",
            markersize=5.5,
            color=color,
            markerfacecolor=color if filled else palette.paper,
            markeredgewidth=1.3,
            zorder=3,
        )
    axes.set_xlim(0.9, 5.1)
    axes.set_xticks([1, 2, 3, 4, 5])
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_title(shortened(panel.title, letters), fontweight="bold")
    axes.annotate("n", (1, 1), (5, 6), "axes fraction", "offset points", color=palette.muted, style="italic")


def _frame(figure: Figure, ratings: Ratings, origin: Origin, palette: Palette, several: bool) -> None:
    """Add title, legend and disclaimer."""
    width, height = figure.get_size_inches()
    left = 0.12 / width
    title = f"{counted(ratings.reviews, 'review')}, rated by aspect from 1 to 5"
    figure.text(left, 1 - 0.1 / height, title, fontsize=11, fontweight="bold", va="top")
    said = "Line: 95 % interval. n: reviews that mention the aspect."
    if len(ratings.products) > MOST:
        said += f" The {MOST} with the most reviews, of {count(len(ratings.products))}."
    notice = 0.16 if origin.notice else 0.0
    figure.text(left, (0.08 + notice) / height, said, color=palette.muted, fontsize=7.5)
    if origin.notice:
        figure.text(left, 0.08 / height, shortened(origin.notice, 150), color=palette.ink, fontsize=7.5)
    if several:
        color = palette.series[0]
        keys = [
            _key(color, color),
            _key(color, palette.paper),
            Line2D([], [], color=palette.muted, linewidth=0.8, linestyle="--"),
        ]
        names = ["clearly above or below the mean of all", "not clearly so", "mean of all"]
        anchor = (0.05 / width, (0.22 + notice) / height)
        figure.legend(keys, names, loc="lower left", bbox_to_anchor=anchor, ncols=3, fontsize=7.5, borderaxespad=0)


def _key(color: str, inside: str) -> Line2D:
    return Line2D([], [], color=color, markerfacecolor=inside, marker="o", markersize=5.5, linewidth=1.6)


def _text(panel: Panel) -> str:
    said = []
    for label, one in panel.rows:
        if one.rating is None:
            said.append(f"{label}: too few mentions ({count(one.mentions)})")
        else:
            low, high = stars(one.rating.low), stars(one.rating.high)
            said.append(f"{label}: {stars(one.rating.value)} ({low} to {high}, n = {count(one.mentions)})")
    return f"Ratings from 1 to 5, {panel.title}. {'; '.join(said)}."
