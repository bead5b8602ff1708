"""What a page is made of. Each kind of block has a template, `templates/block-KIND.html.tmpl`, that lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mtl_core.report.figures.canvas import Drawing


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        note: Something smaller behind it.
        bar: From 0 to 1: how far a bar behind the text reaches; None for no bar.
        heat: From -1 to 1: how strongly it is shaded; None for no shade.
        strong: Whether it stands out.
        again: Whether it repeats what stands above it, and so need not be seen.
    """

    text: str
    note: str = ""
    bar: float | None = None
    heat: float | None = None
    strong: bool = False
    again: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand on the right."""

    title: str
    number: bool = True


@dataclass(frozen=True)
class Table:
    """A table. The first cell of a row names it.

    Attributes:
        caption: What it shows.
        columns: Its columns.
        rows: Its rows.
        foot: Rows below the line.
        notes: Sentences below it.
        compact: Whether it is a small one among several, with cells of one size.
        stacked: Whether a cell's note stands below its text, since there are many columns.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    compact: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class FigureBlock:
    """One or several drawings under one caption, which says how to read them."""

    kind: ClassVar[str] = "figure"
    caption: str
    drawings: Sequence[Drawing]


@dataclass(frozen=True)
class Shaded:
    """A piece of a text, and how strongly it is shaded, from 0 to 1."""

    text: str
    heat: float = 0.0


@dataclass(frozen=True)
class Quote:
    """An example, with words about it.

    Attributes:
        pieces: Its text, some of it shaded.
        said: What was said about it.
        notes: What else is to be known.
    """

    pieces: Sequence[Shaded]
    said: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Quotes:
    """Examples under a heading."""

    kind: ClassVar[str] = "quotes"
    title: str
    quotes: Sequence[Quote]


@dataclass(frozen=True)
class Words:
    """Paragraphs, or points of a list."""

    kind: ClassVar[str] = "words"
    sentences: Sequence[str]
    points: bool = False


@dataclass(frozen=True)
class Preformatted:
    """A file, behind a line that opens it."""

    kind: ClassVar[str] = "file"
    title: str
    text: str


@dataclass(frozen=True)
class Folded:
    """Blocks behind a line that opens them."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Side:
    """Small tables that stand beside each other as far as there is room."""

    kind: ClassVar[str] = "side"
    tables: Sequence[Table]


Block = Words | Table | FigureBlock | Quotes | Preformatted | Folded | Side


@dataclass(frozen=True)
class Section:
    """A part of a page, with a heading that can be linked to."""

    id: str
    title: str
    blocks: Sequence[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        kind: What sort of page it is.
        title: Its title.
        headline: The result, in plain words.
        notice: Something that must be said with every figure; may be empty.
        facts: Names and values at the head of the page.
        sections: Its parts.
        closing: How it was made.
    """

    kind: str
    title: str
    headline: str
    notice: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    closing: str

    @property
    def drawings(self) -> list[Drawing]:
        """All drawings of the page, in their order."""
        blocks = [block for section in self.sections for block in section.blocks]
        return [one for block in blocks if isinstance(block, FigureBlock) for one in block.drawings]
