"""Matplotlib settings without global state, layout helpers, and figure files."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtl_core.atomic import write_atomically
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import truncate_label

COLUMN_WIDTH = 3.3
"""Width of a figure in inches: one column of a paper, or the screen of a phone."""
LEGEND_LINE_HEIGHT = 0.17
"""Height of a line of the legend in inches."""
MAX_HALF_COLUMN_NAME = 22
"""Maximum number of characters per name in a legend with two columns."""
WIDE_DRAWING_WIDTH = 4.2
"""Width in inches above which a figure scrolls on small screens."""
FONT_SIZE = 8.0
"""Font size in points; tick labels are half a point smaller."""
UNDATED_METADATA = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata without dates, so that files are reproducible byte by byte."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        name: Its name, unique within a page, and the stem of its file name.
        figure: The matplotlib figure.
        alt_text: The alternative text for screen readers.
    """

    name: str
    figure: Figure
    alt_text: str

    @property
    def is_wide(self) -> bool:
        """Whether the figure is too wide for a phone, which scrolls it."""
        return bool(self.figure.get_figwidth() > WIDE_DRAWING_WIDTH)


@contextmanager
def plot_style(palette: Palette) -> Iterator[None]:
    """Apply the plot settings within the context; restore the settings of the user afterwards."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser may have glyphs that the font used for measuring lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "figure.facecolor": palette.background,
                "savefig.facecolor": palette.background,
                "axes.facecolor": "none",
                "axes.edgecolor": palette.muted,
                "axes.labelcolor": palette.ink,
                "axes.linewidth": 0.6,
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.titlelocation": "left",
                "axes.titlesize": FONT_SIZE + 0.5,
                "axes.titlepad": 5,
                "axes.titley": 1.0,  # a fixed position skips the automatic one, which takes a seventh of the time
                "axes.labelsize": FONT_SIZE,
                "axes.axisbelow": True,
                "font.size": FONT_SIZE,
                "grid.color": palette.rule,
                "grid.linewidth": 0.6,
                "hatch.linewidth": 0.5,
                "legend.fontsize": FONT_SIZE,
                "legend.frameon": False,
                "lines.linewidth": 1.4,
                "text.color": palette.ink,
                "text.parse_math": False,  # a "$" in the name of a task is a dollar sign
                "xtick.color": palette.muted,
                "ytick.color": palette.muted,
                "xtick.labelcolor": palette.ink,
                "ytick.labelcolor": palette.ink,
                "xtick.labelsize": FONT_SIZE - 0.5,
                "ytick.labelsize": FONT_SIZE - 0.5,
                "xtick.major.size": 2.5,
                "ytick.major.size": 2.5,
                "xtick.major.width": 0.6,
                "ytick.major.width": 0.6,
                "pdf.fonttype": 42,  # publishers reject type 3 fonts
                "svg.fonttype": "none",
            }
        )
        yield


def add_axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes with margins in inches, which is much faster than measuring every label."""
    width, height = figure.get_size_inches()
    bounds = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure.add_axes(bounds)


def draw_intervals(
    axes: Axes, positions: Sequence[float], intervals: Sequence[tuple[float, float]], color: str
) -> None:
    """Draw horizontal error bars with caps as two artists."""
    lows, highs = [low for low, _ in intervals], [high for _, high in intervals]
    axes.hlines(positions, lows, highs, color=color, linewidth=0.9, zorder=3)
    cap_positions = [*positions, *positions]
    axes.plot(
        [*lows, *highs],
        cap_positions,
        linestyle="none",
        marker="|",
        markersize=3.5,
        markeredgewidth=0.9,
        color=color,
    )


def estimate_text_width(texts: Iterator[str] | list[str]) -> float:
    """Estimate the width in inches of the longest label."""
    return max((len(text) for text in texts), default=0) * (FONT_SIZE - 0.5) * 0.58 / 72


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Add a legend of height `legend_height` at the top, in two columns if all names are short."""
    figure.legend(
        handles,
        [truncate_label(name, 44) for name in names],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=_count_legend_columns(names),
        borderaxespad=0.1,
        columnspacing=1.2,
        labelspacing=LEGEND_LINE_HEIGHT * 72 / FONT_SIZE - 1.25,
    )


def compute_legend_height(names: Sequence[str]) -> float:
    """Compute the height in inches of the legend that `legend_above` adds."""
    columns = _count_legend_columns(names)
    return LEGEND_LINE_HEIGHT * ((len(names) + columns - 1) // columns)


def _count_legend_columns(names: Sequence[str]) -> int:
    return 2 if all(len(name) <= MAX_HALF_COLUMN_NAME for name in names) else 1


def write_drawing(drawing: Drawing, output_dir: Path) -> list[Path]:
    """Write a figure as PDF and SVG.

    Returns:
        The paths of the files.

    Raises:
        MtlError: If a file cannot be written.
    """
    written_paths = []
    for suffix in ("pdf", "svg"):
        path = output_dir / f"{drawing.name}.{suffix}"
        with matplotlib.rc_context({"svg.hashsalt": drawing.name}):
            write_atomically(
                path,
                lambda temporary, suffix=suffix: drawing.figure.savefig(  # type: ignore[misc]
                    temporary, format=suffix, metadata=UNDATED_METADATA[suffix]
                ),
            )
        written_paths.append(path)
    return written_paths
