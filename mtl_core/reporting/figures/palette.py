"""Colour palettes for readers with colour vision deficiency, in light and dark mode (Okabe and Ito, 2008)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """The colours of a figure.

    Attributes:
        ink: Text and prominent elements.
        muted: Axes and secondary elements.
        rule: Grid lines.
        paper: Fill and edges of elements that overlap others.
        series: One colour per series; the first is the main colour.
        positive: The end of a diverging scale above zero.
        negative: The end of a diverging scale below zero.
        background: The background of the figure; "none" is transparent.
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
"""One hatch per series, distinguishable in black and white. Dots would make files a hundred times larger."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One marker per series."""
DASHES = ("-", "--", ":", "-.")
"""One line style per series."""

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
"""The palette of files for papers."""

# A page replaces these with CSS variables, which adapt to dark mode; the values only have to be distinct.
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
"""Colour of `PAGE` to the CSS variable that replaces it."""
