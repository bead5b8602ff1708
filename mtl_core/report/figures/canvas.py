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
from mtl_core.report.figures.palette import Palette
from mtl_core.report.wording import shortened

COLUMN = 3.3
"""Width of a figure in inches: one column of a paper, or the screen of a phone."""
LEGEND = 0.17
"""Height of a line of the legend in inches."""
HALF = 22
"""Maximum number of characters per name in a legend with two columns."""
WIDE = 4.2
"""Width in inches above which a figure scrolls on small screens."""
FONT = 8.0
"""Font size in points; tick labels are half a point smaller."""
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata without dates, so that files are reproducible byte by byte."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        name: Its name, unique within a page, and the stem of its file name.
        figure: The matplotlib figure.
        text: The alternative text for screen readers.
    """

    name: str
    figure: Figure
    text: str

    @property
    def wide(self) -> bool:
        """Whether the figure is too wide for a phone, which scrolls it."""
        return bool(self.figure.get_figwidth() > WIDE)


@contextmanager
def drawing(palette: Palette) -> Iterator[None]:
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
                "axes.titlesize": FONT + 0.5,
                "axes.titlepad": 5,
                "axes.titley": 1.0,  # a fixed position skips the automatic one, which takes a seventh of the time
                "axes.labelsize": FONT,
                "axes.axisbelow": True,
                "font.size": FONT,
                "grid.color": palette.rule,
                "grid.linewidth": 0.6,
                "hatch.linewidth": 0.5,
                "legend.fontsize": FONT,
                "legend.frameon": False,
                "lines.linewidth": 1.4,
                "text.color": palette.ink,
                "text.parse_math": False,  # a "$" in the name of a task is a dollar sign
                "xtick.color": palette.muted,
                "ytick.color": palette.muted,
                "xtick.labelcolor": palette.ink,
                "ytick.labelcolor": palette.ink,
                "xtick.labelsize": FONT - 0.5,
                "ytick.labelsize": FONT - 0.5,
                "xtick.major.size": 2.5,
                "ytick.major.size": 2.5,
                "xtick.major.width": 0.6,
                "ytick.major.width": 0.6,
                "pdf.fonttype": 42,  # publishers reject type 3 fonts
                "svg.fonttype": "none",
            }
        )
        yield


def axes_in(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes with margins in inches, which is much faster than measuring every label."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure.add_axes(box)


def draw_intervals(axes: Axes, places: Sequence[float], ends: Sequence[tuple[float, float]], color: str) -> None:
    """Draw horizontal error bars with caps as two artists."""
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    axes.hlines(places, lows, highs, color=color, linewidth=0.9, zorder=3)
    at = [*places, *places]
    axes.plot([*lows, *highs], at, linestyle="none", marker="|", markersize=3.5, markeredgewidth=0.9, color=color)


def width_of(texts: Iterator[str] | list[str]) -> float:
    """Estimate the width in inches of the longest label."""
    return max((len(text) for text in texts), default=0) * (FONT - 0.5) * 0.58 / 72


def legend_above(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Add a legend of height `legend_height` at the top, in two columns if all names are short."""
    figure.legend(
        handles,
        [shortened(name, 44) for name in names],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=_legend_columns(names),
        borderaxespad=0.1,
        columnspacing=1.2,
        labelspacing=LEGEND * 72 / FONT - 1.25,
    )


def legend_height(names: Sequence[str]) -> float:
    """Compute the height in inches of the legend that `legend_above` adds."""
    columns = _legend_columns(names)
    return LEGEND * ((len(names) + columns - 1) // columns)


def _legend_columns(names: Sequence[str]) -> int:
    return 2 if all(len(name) <= HALF for name in names) else 1


def write_files(drawn: Drawing, folder: Path) -> list[Path]:
    """Write a figure as PDF and SVG.

    Returns:
        The paths of the files.

    Raises:
        MtlError: If a file cannot be written.
    """
    written = []
    for suffix in ("pdf", "svg"):
        path = folder / f"{drawn.name}.{suffix}"
        with matplotlib.rc_context({"svg.hashsalt": drawn.name}):
            write_atomically(
                path,
                lambda temporary, suffix=suffix: drawn.figure.savefig(  # type: ignore[misc]
                    temporary, format=suffix, metadata=NO_DATE[suffix]
                ),
            )
        written.append(path)
    return written
