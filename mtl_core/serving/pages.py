"""The pages: `/` with a form for predictions and the model card, `/docs` with the API."""

from typing import Any

from fastapi import APIRouter, FastAPI, Response
from markupsafe import Markup

from mtl_core.data.input_format import format_input
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.reporting.headline import format_headline
from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.sections import build_sections
from mtl_core.runs.prediction_inputs import get_row_columns
from mtl_core.serving.openapi import parse_object_schemas, parse_operations
from mtl_core.serving.page_layout import get_template_environment
from mtl_core.serving.sample_texts import Samples
from mtl_core.serving.served_run import ServedRun

COLUMN_HINTS = {
    "text": "text",
    "number": "number",
    "category": "category",
    "multi-category": "categories, separated by commas",
    "date": "date, such as 2024-05-31 or 2024-05-31T18:30",
    "image": "image file",
    "array": "numbers, separated by spaces",
}
"""Column type to what the field of a column expects."""


def build_page_routes(app: FastAPI, served_run: ServedRun, card: Card, samples: Samples) -> APIRouter:
    """Build the routes of the pages.

    Args:
        app: The application with all other routes, which `/docs` documents.
        served_run: The run.
        card: The model card.
        samples: The example texts or rows.
    """
    router = APIRouter(include_in_schema=False)
    page_layout = served_run.page_layout
    index_page = page_layout.render_template(
        "index.html.tmpl", page_layout.name, _build_index_values(served_run, card, samples), "/static/index.js"
    )
    document = app.openapi()
    values = {"operations": parse_operations(document), "objects": parse_object_schemas(document)}
    docs_page = page_layout.render_template("docs.html.tmpl", f"{page_layout.name}: API", values)

    @router.get("/")
    async def try_it() -> Response:
        return index_page

    @router.get("/docs")
    async def docs() -> Response:
        return docs_page

    return router


def _build_index_values(served_run: ServedRun, card: Card, samples: Samples) -> dict[str, Any]:
    tasks = {
        task.name: {"level": task.config.kind.level, "absent_label": task.kind.absent_label}
        for group, has_predictions in zip(served_run.saved.groups, served_run.saved.predicted_groups, strict=True)
        if has_predictions
        for task in group.tasks
    }
    return {
        "headline": format_headline(card.files),
        "tasks": tasks,
        "columns": _build_columns(served_run.saved.get_loader()),
        "hints": COLUMN_HINTS,
        "examples": list(samples.examples),
        "labels": [format_input(example) for example in samples.examples],
        "longest": served_run.limits.max_text_length,
        "services": [link for link in served_run.page_layout.links if link.help],
        "card": _render_card(card),
    }


def _build_columns(loader: LoaderSpec) -> list[dict[str, str]]:
    """Return name and type of each field of the form for rows; none for a form with one text."""
    return [{"name": name, "type": loader.input_types[name]} for name in get_row_columns(loader)]


def _render_card(card: Card) -> Markup:
    text = get_template_environment().get_template("card.html.tmpl").render(sections=build_sections(card))
    return Markup(text)  # noqa: S704  (templates escape)
