"""A report that shows itself in a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

FRAME_HEIGHT = 600
"""Height of the report in a notebook, in pixels."""


@dataclass(frozen=True)
class Report:
    """An HTML report.

    Attributes:
        path: The file, which any browser opens.
    """

    path: Path

    def read(self) -> str:
        """Return the HTML."""
        return self.path.read_text(encoding="utf-8")

    def _repr_html_(self) -> str:
        page = html.escape(self.read(), quote=True)
        return f'<iframe srcdoc="{page}" width="100%" height="{FRAME_HEIGHT}" frameborder="0"></iframe>'
