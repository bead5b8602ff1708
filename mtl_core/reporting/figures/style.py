"""Matplotlib settings of all figures, without global state."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib

from mtl_core.reporting.figures.palette import Palette

FONT_SIZE = 8.0
"""Font size in points; tick labels are half a point smaller."""


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
