"""Where drawings are made: matplotlib without any global state, and SVG that can stand inside a page."""

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
"""Inches: the width of a column of a paper, and of a telephone."""
LEGEND = 0.17
"""Inches of a line of a legend."""
HALF = 22
"""Letters of a name that leave room for another one beside it."""
WIDE = 4.2
"""Inches from which on a drawing is a wide one."""
FONT = 8.0
"""Points; what stands at an axis is half a point smaller."""
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The same drawing is the same bytes."""


@dataclass(frozen=True)
class Drawing:
    """A finished drawing.

    Attributes:
        name: Its name among those of one page, and its file's name.
        figure: What was drawn.
        text: What it shows, in words, for those who do not see it.
    """

    name: str
    figure: Figure
    text: str

    @property
    def wide(self) -> bool:
        """Whether it is too wide for a telephone, where it is scrolled."""
        return bool(self.figure.get_figwidth() > WIDE)


@contextmanager
def drawing(palette: Palette) -> Iterator[None]:
    """Draw by our settings: whatever the user's own are, and without changing them."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A browser has letters that the font that is used to measure has not.
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
                "axes.titley": 1.0,  # told, it need not be found, which takes a seventh of the time
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
                "text.parse_math": False,  # a "$" in a task's name is a dollar
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
                "pdf.fonttype": 42,  # publishers refuse type 3
                "svg.fonttype": "none",
            }
        )
        yield


def axes_in(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Make axes with margins in inches, which is much faster than to measure every label."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure.add_axes(box)


def draw_intervals(axes: Axes, places: Sequence[float], ends: Sequence[tuple[float, float]], color: str) -> None:
    """Draw thin lines with a mark at either end, all of them as two artists."""
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    axes.hlines(places, lows, highs, color=color, linewidth=0.9, zorder=3)
    at = [*places, *places]
    axes.plot([*lows, *highs], at, linestyle="none", marker="|", markersize=3.5, markeredgewidth=0.9, color=color)


def width_of(texts: Iterator[str] | list[str]) -> float:
    """Estimate the inches that the longest of some labels needs."""
    return max((len(text) for text in texts), default=0) * (FONT - 0.5) * 0.58 / 72


def legend_above(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Name what is drawn, at the top, in two columns if names are short; it takes `legend_height` inches."""
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
    """Inches that `legend_above` takes."""
    columns = _legend_columns(names)
    return LEGEND * ((len(names) + columns - 1) // columns)


def _legend_columns(names: Sequence[str]) -> int:
    return 2 if all(len(name) <= HALF for name in names) else 1


def write_files(drawn: Drawing, folder: Path) -> list[Path]:
    """Write a drawing as PDF and SVG.

    Raises:
        MtlError: If the place cannot be written.
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
