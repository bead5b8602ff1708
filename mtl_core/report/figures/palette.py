"""Colours that can be told apart without colour vision, by day and by night (Okabe and Ito, 2008)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """The colours of a drawing.

    Attributes:
        ink: Text and what must be seen.
        muted: Axes and what may be overlooked.
        rule: Grid lines.
        paper: The background, for what lies over something else.
        series: One a series, the first for what the drawing is about.
        positive: The end of a scale above zero.
        negative: The end of a scale below zero.
        background: Of the whole drawing; "none" lets the page shine through.
    """

    ink: str
    muted: str
    rule: str
    paper: str
    series: tuple[str, ...]
    positive: str
    negative: str
    background: str


HATCHES = ("", "////", "\\\\\\\\", "----", "xxxx", "||||", "++++", "//")
"""One a series, so that bars can be told apart in black and white. Dots would make files a hundred times larger."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One a series."""
DASHES = ("-", "--", ":", "-.")
"""One a series."""

OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
PAPER = Palette(
    ink="#000000",
    muted="#555555",
    rule="#dddddd",
    paper="#ffffff",
    series=OKABE_ITO,
    positive="#0072b2",
    negative="#d55e00",
    background="#ffffff",
)
"""For files that go into a paper."""

# A page shows these as CSS variables, which know whether it is night: the numbers only have to be distinct.
PAGE = Palette(
    ink="#0a0001",
    muted="#0a0002",
    rule="#0a0003",
    paper="#0a0004",
    series=tuple(f"#0b000{number}" for number in range(8)),
    positive="#0c0001",
    negative="#0c0002",
    background="none",
)
CSS_VARIABLES = {
    PAGE.ink: "var(--ink)",
    PAGE.muted: "var(--muted)",
    PAGE.rule: "var(--rule)",
    PAGE.paper: "var(--paper)",
    PAGE.positive: "var(--positive)",
    PAGE.negative: "var(--negative)",
    **{color: f"var(--series-{number})" for number, color in enumerate(PAGE.series, start=1)},
}
"""What stands in a page in the place of each colour."""
