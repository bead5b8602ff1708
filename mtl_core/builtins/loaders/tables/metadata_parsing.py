"""Parsing of the cells of a column of metadata."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from mtl_core.data.files.cells import format_cell
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from mtl_core.data.corpus import Scalar


class MetadataParser:
    """Parser of cells of metadata, which are texts, numbers, booleans or dates.

    Args:
        name: The column.
        missing: Texts that mark a missing cell; the empty text always does.
    """

    def __init__(self, name: str, missing: Iterable[str]) -> None:
        self._name = name
        self._missing = {"", *(text.strip() for text in missing)}

    def parse(self, cell: object) -> Scalar | None:
        """Parse a cell: texts are stripped, booleans become texts, dates become ISO texts.

        Raises:
            MtlError: If the cell is a list, an object or no finite number.
        """
        if isinstance(cell, str):
            text = cell.strip()
            return None if text in self._missing else text
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, date):
            return cell.isoformat()
        if cell is None or isinstance(cell, int) or (isinstance(cell, float) and math.isfinite(cell)):
            return cell
        raise MtlError(f"column '{self._name}': expected a text, a number or a date, found {format_cell(cell)}")
