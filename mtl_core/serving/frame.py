"""The pages' common frame: head, links, foot, one style, and what it is made with."""

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
from mtl_core.report.page import written
from mtl_core.serving.problems import Problem

SCRIPTS = ("home",)
STATIC = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Link:
    """A link at the head of every page.

    Attributes:
        path: Where it leads.
        title: What it says.
        help: What is there, in a line, where it is a plugin's.
    """

    path: str
    title: str
    help: str = ""


@dataclass(frozen=True)
class Frame:
    """What all pages of a server have in common.

    Attributes:
        name: The experiment's name.
        notice: Something that must be said with every figure; may be empty.
        links: The pages; those of plugins are added while the server is put together.
    """

    name: str
    notice: str
    links: list[Link] = field(default_factory=lambda: [Link("/", "Try it"), Link("/docs", "API")])

    def page(self, title: str, content: Markup, script: str | None = None) -> Response:
        """Put a page together. No page asks anything of another host, and its policy forbids it.

        Args:
            title: The page's title; its `h1` is part of the content.
            content: What stands in `main`, safe HTML. Neither `style` nor `onclick` may stand in it: the policy
                forbids what is inline.
            script: The path of a script on this server, loaded when the page is there.
        """
        text = (
            environment()
            .get_template("frame.html.tmpl")
            .render(frame=self, title=title, content=content, script=script, version=__version__)
        )
        return HTMLResponse(text)

    def filled(self, template: str, title: str, values: Mapping[str, Any], script: str | None = None) -> Response:
        """Put a page of the core together from one of its templates."""
        content = environment().get_template(template).render(frame=self, **values)
        return self.page(title, Markup(content), script)  # noqa: S704  (templates escape)


def static_files() -> APIRouter:
    """Make the routes of the style and the scripts."""
    router = APIRouter(include_in_schema=False)
    style = environment().get_template("serve.css.tmpl").render()
    scripts = {name: (files(__package__) / "templates" / f"{name}.js.tmpl").read_text("utf-8") for name in SCRIPTS}

    @router.get("/static/style.css")
    async def css() -> Response:
        return Response(style, media_type="text/css; charset=utf-8", headers=STATIC)

    @router.get("/static/{name}.js")
    async def script(name: str) -> Response:
        if name not in scripts:
            raise Problem(404, "path", f"/static/{name[:60]}.js", "/static/style.css, or a script of a page")
        return Response(scripts[name], media_type="text/javascript; charset=utf-8", headers=STATIC)

    return router


@cache
def environment() -> Environment:
    """The templates of the server, with the style of reports beside them."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader("mtl_core.serving"), PackageLoader("mtl_core.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["written"] = written
    return made
