"""The common layout of all pages: header, navigation, footer, style, and the template environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mtl_core import __version__
from mtl_core.reporting.html_page import format_sentence
from mtl_core.serving.errors import ApiError

SCRIPTS = ("index",)
STATIC_HEADERS = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Link:
    """A link in the navigation of every page.

    Attributes:
        path: The path of the linked page.
        title: The text of the link.
        help: One line that describes the page, for pages of plugins.
    """

    path: str
    title: str
    help: str = ""


@dataclass(frozen=True)
class PageLayout:
    """The layout that all pages of a server have in common.

    Attributes:
        name: The name of the experiment.
        disclaimer: A disclaimer to show with all scores; may be empty.
        links: The links in the navigation; those of plugins are added while the application is built.
    """

    name: str
    disclaimer: str
    links: list[Link] = field(default_factory=lambda: [Link("/", "Try it"), Link("/docs", "API")])

    def render_page(self, title: str, content: Markup, script: str | None = None) -> Response:
        """Render a page. No page loads anything from another host; the Content-Security-Policy forbids it.

        Args:
            title: The title of the page; its `h1` is part of the content.
            content: The content of `main`, safe HTML. It must not contain `style` or `onclick` attributes: the
                policy forbids inline code.
            script: The path of a script on this server, loaded after the page.
        """
        text = (
            get_template_environment()
            .get_template("page_layout.html.tmpl")
            .render(layout=self, title=title, content=content, script=script, version=__version__)
        )
        return HTMLResponse(text)

    def render_template(
        self, template: str, title: str, values: Mapping[str, Any], script: str | None = None
    ) -> Response:
        """Render a page of the core from one of its templates."""
        content = get_template_environment().get_template(template).render(layout=self, **values)
        return self.render_page(title, Markup(content), script)  # noqa: S704  (templates escape)


def build_static_routes() -> APIRouter:
    """Build the routes of the style sheet and the scripts."""
    router = APIRouter(include_in_schema=False)
    style = get_template_environment().get_template("serve.css.tmpl").render()
    scripts = {name: (files(__package__) / "templates" / f"{name}.js.tmpl").read_text("utf-8") for name in SCRIPTS}

    @router.get("/static/style.css")
    async def css() -> Response:
        return Response(style, media_type="text/css; charset=utf-8", headers=STATIC_HEADERS)

    @router.get("/static/{name}.js")
    async def script(name: str) -> Response:
        if name not in scripts:
            raise ApiError(404, "path", f"/static/{name[:60]}.js", "/static/style.css or the script of a page")
        return Response(scripts[name], media_type="text/javascript; charset=utf-8", headers=STATIC_HEADERS)

    return router


@cache
def get_template_environment() -> Environment:
    """Return the template environment of the server, which includes the templates of reports."""
    template_environment = Environment(
        loader=ChoiceLoader([PackageLoader("mtl_core.serving"), PackageLoader("mtl_core.reporting")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template_environment.filters["sentence"] = format_sentence
    return template_environment
