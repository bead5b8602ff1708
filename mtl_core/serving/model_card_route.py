"""`GET /model`: the model card as JSON or Markdown."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response

from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.card_json import build_model_card
from mtl_core.reporting.model_card.markdown import render_markdown
from mtl_core.serving import schemas
from mtl_core.serving.errors import json_response
from mtl_core.serving.served_run import ServedRun


def build_model_card_route(served_run: ServedRun, card: Card) -> APIRouter:
    """Build the route of the model card."""
    router = APIRouter(tags=["model"])
    card_json = {**build_model_card(card).model_dump(), "serving": served_run.limits.to_dict()}

    @router.get(
        "/model",
        summary="Model card",
        response_model=schemas.ModelCardResponse,
        responses={
            200: {"content": {"text/markdown": {"example": f"# {card_json['name']}\n…"}}},
            422: {"description": "The format is unknown.", "model": schemas.ErrorResponse},
        },
    )
    async def model(
        card_format: Annotated[
            Literal["json", "markdown"] | None,
            Query(alias="format", description="JSON, unless Markdown is requested here or by `Accept`."),
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """The model card: tasks, classes, data, metrics per task and class, limitations, licences."""
        if card_format == "markdown" or (card_format is None and accept.startswith("text/markdown")):
            return Response(render_markdown(card), media_type="text/markdown; charset=utf-8")
        return json_response(card_json)

    return router
