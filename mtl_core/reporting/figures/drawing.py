"""A finished figure, and its files."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from mtl_core.atomic import write_atomically

WIDE_DRAWING_WIDTH = 4.2
"""Width in inches above which a figure scrolls on small screens."""
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
