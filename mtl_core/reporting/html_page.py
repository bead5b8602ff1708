"""Render a page as one HTML file that loads nothing from the network."""

import base64
import hashlib
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mtl_core import __version__
from mtl_core.reporting.blocks import Page
from mtl_core.reporting.figures.inline_svg import render_inline_svg
from mtl_core.reporting.formatting import MINUS_SIGN

_CODE = re.compile(r"`([^`]+)`")
_PERCENT = re.compile(rf"(?<![\d.,])([{MINUS_SIGN}+]?\d[\d.,]*) %")


def format_sentence(text: str) -> Markup:
    """Escape a sentence, format text in backticks as code, and keep numbers and percent signs on one line."""
    escaped = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_PERCENT.sub(r'<span class="nb">\1 %</span>', escaped))  # noqa: S704  (the text is escaped)


def render_html(page: Page) -> str:
    """Render a page as HTML; call it inside `plot_style`, with figures drawn in the palette `PAGE`."""
    environment = _build_environment()
    script = environment.get_template("searchable.js.tmpl").render()
    # The policy of the page admits this script only.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.tmpl").render(
        page=page,
        version=__version__,
        script=Markup(script),  # noqa: S704  (a file of this package)
        script_digest=digest,
    )


@cache
def _build_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mtl_core.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sentence"] = format_sentence
    environment.filters["svg"] = render_inline_svg
    return environment
