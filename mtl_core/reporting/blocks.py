"""The blocks of a page. The template `templates/block-KIND.html.tmpl` defines the layout of each kind of block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mtl_core.reporting.figures.drawing import Drawing


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: The text of the cell.
        note: A smaller text after it.
        bar: Length of the bar next to the text, from 0 to 1; None for no bar.
        heat: Strength of the shade, from -1 to 1; None for no shade.
        strong: Whether the text is emphasized.
        is_repeated: Whether it repeats the cell above it and is visually hidden.
    """

    text: str
    note: str = ""
    bar: float | None = None
    heat: float | None = None
    strong: bool = False
    is_repeated: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers are aligned on the right."""

    title: str
    is_numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table. The first cell of each row is its header.

    Attributes:
        caption: The caption.
        columns: The columns.
        rows: The rows.
        footer: The rows of the table's footer.
        notes: Sentences below the table.
        compact: Whether the table is one of several small ones, with cells of equal size.
        stacked: Whether the note of a cell is placed below its text, which saves width if there are many columns.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    footer: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    compact: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class SearchableTable:
    """A long table that a script of the page sorts and searches; without JavaScript it is an ordinary table."""

    kind: ClassVar[str] = "searchable"
    table: Table


@dataclass(frozen=True)
class FigureBlock:
    """One or several figures with one caption, which explains how to read them."""

    kind: ClassVar[str] = "figure"
    caption: str
    drawings: Sequence[Drawing]


@dataclass(frozen=True)
class TextSpan:
    """A span of a text and the strength of its shade, from 0 to 1."""

    text: str
    heat: float = 0.0


@dataclass(frozen=True)
class Quote:
    """A quoted example with its prediction.

    Attributes:
        spans: The spans of its text, some of them shaded.
        prediction: A sentence about the prediction.
        notes: Further facts.
        image: The example as an image, a data URL; empty for none.
        cells: The name of each input column and the spans of its cell, if the example is a row of cells.
    """

    spans: Sequence[TextSpan]
    prediction: str
    notes: Sequence[str] = ()
    image: str = ""
    cells: Sequence[tuple[str, Sequence[TextSpan]]] = ()


@dataclass(frozen=True)
class Quotes:
    """Quoted examples under a heading."""

    kind: ClassVar[str] = "quotes"
    title: str
    quotes: Sequence[Quote]


@dataclass(frozen=True)
class PictureCard:
    """An image with pictures of masks beside it.

    Attributes:
        images: The image and the masks: data URL and description of each.
        title: The name of the example.
        wrong: Predictions that are wrong.
        right: Predictions that are right, or whose true label is missing.
    """

    images: Sequence[tuple[str, str]]
    title: str
    wrong: Sequence[str] = ()
    right: Sequence[str] = ()


@dataclass(frozen=True)
class Pictures:
    """Images with their predictions.

    Attributes:
        legend: The colors of the classes in masks: a CSS color and a name for each.
        cards: The images.
    """

    kind: ClassVar[str] = "pictures"
    legend: Sequence[tuple[str, str]]
    cards: Sequence[PictureCard]


@dataclass(frozen=True)
class TextBlock:
    """Paragraphs, or the items of a list."""

    kind: ClassVar[str] = "text"
    sentences: Sequence[str]
    is_list: bool = False


@dataclass(frozen=True)
class Preformatted:
    """A collapsible block with the text of a file."""

    kind: ClassVar[str] = "file"
    title: str
    text: str


@dataclass(frozen=True)
class Collapsible:
    """A collapsible group of blocks."""

    kind: ClassVar[str] = "collapsible"
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class SideBySide:
    """Small tables side by side, wrapped to the width of the page."""

    kind: ClassVar[str] = "side-by-side"
    tables: Sequence[Table]


Block = TextBlock | Table | SearchableTable | FigureBlock | Quotes | Pictures | Preformatted | Collapsible | SideBySide


@dataclass(frozen=True)
class Section:
    """A section of a page; `id` is the anchor of its heading."""

    id: str
    title: str
    blocks: Sequence[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        kind: The kind of report, such as `run`.
        title: The title.
        headline: The main result in one sentence.
        disclaimer: A disclaimer that accompanies all results; may be empty.
        facts: Names and values in the header of the page.
        sections: The sections.
        footer: The text of the footer: how the page was generated.
    """

    kind: str
    title: str
    headline: str
    disclaimer: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    footer: str

    @property
    def has_searchable_table(self) -> bool:
        """Whether the page needs the script that sorts and searches tables."""
        return any(isinstance(block, SearchableTable) for section in self.sections for block in section.blocks)

    @property
    def drawings(self) -> list[Drawing]:
        """All figures of the page, in their order."""
        blocks = [block for section in self.sections for block in section.blocks]
        return [one for block in blocks if isinstance(block, FigureBlock) for one in block.drawings]
