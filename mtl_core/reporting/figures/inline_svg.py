"""Render figures as small inline SVG in the colours of the page."""

import io
import re
from html import escape

import matplotlib

from mtl_core.reporting.figures.drawing import UNDATED_METADATA, Drawing
from mtl_core.reporting.figures.palette import CSS_VARIABLES

_REMOVED_PATTERN = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([\w-]+)')
_FONT_FAMILY = re.compile(r"font-family: [^;\"]*;? ?")
_COLOR = re.compile(r"#0[abc][0-9a-f]{4}")
_SPACE = re.compile(r"\s+")
_NO_ROTATION = re.compile(r' transform="rotate\(-0 [\d. -]+\)"')
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")


def render_inline_svg(drawing: Drawing) -> str:
    """Render a figure as an inline `<svg>`.

    Ids are unique within the page, colours are CSS variables of the page, and there are no external references.
    Texts in the figure stay unchanged.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": drawing.name}):
        drawing.figure.savefig(buffer, format="svg", metadata=UNDATED_METADATA["svg"])
    svg = buffer.getvalue()
    svg = _REMOVED_PATTERN.sub("", svg[svg.index("<svg") :].strip())
    referenced_ids = frozenset(_REFERENCE.findall(svg))
    root_tag, rest = svg.split(">", 1)
    return _build_root_tag(root_tag, drawing.alt_text) + _TAG.sub(lambda tag: _minify_tag(tag[0], referenced_ids), rest)


def _minify_tag(tag: str, referenced_ids: frozenset[str]) -> str:
    tag = _ID.sub(lambda match: match[0] if match[1] in referenced_ids else "", tag.replace("xlink:href", "href"))
    if "data:image" in tag:
        return tag
    tag = _NO_ROTATION.sub("", _FONT_FAMILY.sub("", _SPACE.sub(" ", tag)))
    return _COLOR.sub(lambda match: CSS_VARIABLES.get(match[0], match[0]), _LONG_NUMBER.sub(r"\1", tag))


def _build_root_tag(tag: str, alt_text: str) -> str:
    """Build the root tag, with the natural width in pixels as a CSS variable, since the page may be narrower."""
    size = _VIEW_BOX.search(tag)
    width, height = size.groups() if size else ("0", "0")
    pixels = round(float(width) * 96 / 72)
    label = escape(alt_text)
    return f'<svg viewBox="0 0 {width} {height}" style="--drawn: {pixels}px" role="img" aria-label="{label}">'
