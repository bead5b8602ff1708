"""A page, laid out: one HTML file that asks nothing of any network."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mtl_core import __version__
from mtl_core.report.blocks import Page
from mtl_core.report.figures.page_svg import page_svg
from mtl_core.report.wording import MINUS

_CODE = re.compile(r"`([^`]+)`")
_PERCENT = re.compile(rf"(?<![\d.,])([{MINUS}+]?\d[\d.,]*) %")


def written(text: str) -> Markup:
    """Escape a sentence; set what stands between backticks as code, keep a number and its percent sign together."""
    safe = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_PERCENT.sub(r'<span class="nb">\1 %</span>', safe))  # noqa: S704  (it has been escaped)


def render(page: Page) -> str:
    """Lay a page out; its drawings must be drawn with a palette of pages, and inside `drawing`."""
    return _environment().get_template("page.html.tmpl").render(page=page, version=__version__)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mtl_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["written"] = written
    environment.filters["svg"] = page_svg
    return environment
