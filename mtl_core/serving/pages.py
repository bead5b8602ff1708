"""The pages: `/` with a form for predictions, `/docs` with the API; and the model card."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Query, Response
from markupsafe import Markup

from mtl_core.model_card.as_json import as_json
from mtl_core.model_card.card import Card
from mtl_core.model_card.markdown import markdown
from mtl_core.model_card.sections import sections
from mtl_core.report.run.headline import headline
from mtl_core.serving import messages
from mtl_core.serving.frame import environment
from mtl_core.serving.openapi import objects, operations
from mtl_core.serving.problems import json_response
from mtl_core.serving.samples import Samples
from mtl_core.serving.served import Served


def model_route(served: Served, card: Card) -> APIRouter:
    """Build the route of the model card."""
    router = APIRouter(tags=["model"])
    told = {**as_json(card), "serving": served.limits.told()}

    @router.get(
        "/model",
        summary="Model card",
        response_model=messages.ModelCard,
        responses={
            200: {"content": {"text/markdown": {"example": f"# {told['name']}\n…"}}},
            422: {"description": "The format is unknown.", "model": messages.Refusal},
        },
    )
    async def model(
        form: Annotated[
            Literal["json", "markdown"] | None,
            Query(alias="format", description="JSON, unless Markdown is requested here or by `Accept`."),
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """The model card: tasks, classes, data, metrics per task and class, limitations, licences."""
        if form == "markdown" or (form is None and accept.startswith("text/markdown")):
            return Response(markdown(card), media_type="text/markdown; charset=utf-8")
        return json_response(told)

    return router


def page_routes(app: FastAPI, served: Served, card: Card, samples: Samples) -> APIRouter:
    """Build the routes of the pages.

    Args:
        app: The application with all other routes, which `/docs` documents.
        served: The run.
        card: The model card.
        samples: The example texts.
    """
    router = APIRouter(include_in_schema=False)
    frame = served.frame
    home = frame.filled("home.html.tmpl", frame.name, _home(served, card, samples), "/static/home.js")
    document = app.openapi()
    values = {"operations": operations(document), "objects": objects(document)}
    calls = frame.filled("docs.html.tmpl", f"{frame.name}: API", values)

    @router.get("/")
    async def try_it() -> Response:
        return home

    @router.get("/docs")
    async def docs() -> Response:
        return calls

    return router


def _home(served: Served, card: Card, samples: Samples) -> dict[str, Any]:
    tasks = {
        task.name: {"level": task.declared.kind.level, "nothing": task.kind.nothing}
        for group, told in zip(served.saved.groups, served.saved.answered, strict=True)
        if told
        for task in group.tasks
    }
    return {
        "headline": headline(card.files),
        "tasks": tasks,
        "examples": list(samples.texts),
        "longest": served.limits.max_text,
        "services": [link for link in served.frame.links if link.help],
        "card": _card_html(card),
    }


def _card_html(card: Card) -> Markup:
    text = environment().get_template("card.html.tmpl").render(sections=sections(card))
    return Markup(text)  # noqa: S704  (templates escape)
