"""Render figures as small inline SVG in the colours of the page."""

import io
import re
from html import escape

import matplotlib

from mtl_core.report.figures.canvas import NO_DATE, Drawing
from mtl_core.report.figures.palette import CSS_VARIABLES

_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([\w-]+)')
_FONT_FAMILY = re.compile(r"font-family: [^;\"]*;? ?")
_COLOR = re.compile(r"#0[abc][0-9a-f]{4}")
_SPACE = re.compile(r"\s+")
_NO_ROTATION = re.compile(r' transform="rotate\(-0 [\d. -]+\)"')
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")


def page_svg(drawn: Drawing) -> str:
    """Render a figure as an inline `<svg>`.

    Ids are unique within the page, colours are CSS variables of the page, and there are no external references.
    Texts in the figure stay unchanged.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": drawn.name}):
        drawn.figure.savefig(buffer, format="svg", metadata=NO_DATE["svg"])
    svg = buffer.getvalue()
    svg = _LEFT_OUT.sub("", svg[svg.index("<svg") :].strip())
    used = frozenset(_REFERENCE.findall(svg))
    first, rest = svg.split(">", 1)
    return _root(first, drawn.text) + _TAG.sub(lambda tag: _lighter(tag[0], used), rest)


def _lighter(tag: str, used: frozenset[str]) -> str:
    tag = _ID.sub(lambda found: found[0] if found[1] in used else "", tag.replace("xlink:href", "href"))
    if "data:image" in tag:
        return tag
    tag = _NO_ROTATION.sub("", _FONT_FAMILY.sub("", _SPACE.sub(" ", tag)))
    return _COLOR.sub(lambda found: CSS_VARIABLES.get(found[0], found[0]), _LONG_NUMBER.sub(r"\1", tag))


def _root(tag: str, text: str) -> str:
    """Build the root tag, with the natural width in pixels as a CSS variable, since the page may be narrower."""
    size = _VIEW.search(tag)
    width, height = size.groups() if size else ("0", "0")
    pixels = round(float(width) * 96 / 72)
    return (
        f'<svg viewBox="0 0 {width} {height}" style="--drawn: {pixels}px" role="img" aria-label="{escape(text)}">'
    )
