"""Ratings over HTTP: the request contains a file of reviews, the response is a page or JSON."""

from collections.abc import Sequence
from importlib.resources import files
from threading import Event
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from mtl_core import ApiError, ErrorResponse, MtlError, ServedRun, cancel_on_disconnect, json_response
from mtl_ratings.json_record import build_ratings_record
from mtl_ratings.page import render_page
from mtl_ratings.provenance import Provenance
from mtl_ratings.rater import Rater, RatingJob
from mtl_ratings.ratings import Ratings
from mtl_ratings.settings import Columns, Settings

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Content-Security-Policy of a page of ratings: only its inline style is allowed."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The ratings."},
    413: {"description": "The file is too large.", "model": ErrorResponse},
    422: {
        "description": "The file or the form is invalid; the response contains the location.",
        "model": ErrorResponse,
    },
    503: {
        "description": "Too many files are being rated; `Retry-After` contains the seconds to wait.",
        "model": ErrorResponse,
    },
}

FileField = Annotated[UploadFile, File(description="A .csv, .tsv, .jsonl or .parquet file, one review per row.")]
TextField = Annotated[str, Form(description="The column with the review texts.")]
ByField = Annotated[str, Form(description="The column with the product names; empty rates all reviews together.")]
DateField = Annotated[str, Form(description="The column with the dates; empty for none.")]
PeriodField = Annotated[Literal["month", "quarter", "year"], Form(description="The period of changes over time.")]
MinMentionsField = Annotated[
    int, Form(ge=1, description="Minimum number of reviews that mention an aspect for a rating.")
]
PriorReviewsField = Annotated[float, Form(ge=0, description="Weight of the overall mean in each rating, in reviews.")]
BadRowsField = Annotated[Literal["refuse", "skip"], Form(description="What to do with a row that cannot be read.")]


def build_router(served: ServedRun) -> APIRouter | None:
    """Build the routes below `/ratings`; return None for a run that has no task that can be rated."""
    try:
        rater = Rater(served)
    except MtlError:
        return None
    routes = APIRouter()

    @routes.get("", include_in_schema=False)
    async def show_form() -> Response:
        return served.page_layout.render_page("Ratings from reviews", _render_form(served, rater.aspects))

    @routes.post("", summary="Rate a file of reviews", responses=RESPONSES)
    async def rate(
        request: Request,
        file: FileField,
        text: TextField,
        by: ByField = "",
        date: DateField = "",
        period: PeriodField = "month",
        min_mentions: MinMentionsField = 5,
        prior_reviews: PriorReviewsField = 10.0,
        bad_rows: BadRowsField = "refuse",
    ) -> Response:
        """Return the ratings as JSON, as in `mtl absa rate --out ratings.json`."""
        columns = Columns(text, by or None, date or None, period=period)
        job = RatingJob(file, columns, Settings(min_mentions, prior_reviews), bad_rows == "skip")
        ratings, provenance = await _rate_while_connected(request, job, rater)
        return json_response(build_ratings_record(ratings, provenance))

    @routes.post("/page", include_in_schema=False)
    async def rate_to_page(
        request: Request,
        file: FileField,
        text: TextField,
        by: ByField = "",
        date: DateField = "",
        period: PeriodField = "month",
        bad_rows: BadRowsField = "skip",
    ) -> Response:
        columns = Columns(text.strip(), by.strip() or None, date.strip() or None, period=period)
        try:
            job = RatingJob(file, columns, Settings(), bad_rows == "skip")
            ratings, provenance = await _rate_while_connected(request, job, rater)
        except (MtlError, ApiError) as error:
            error_page = served.page_layout.render_page(
                "Ratings from reviews", _render_template("error", message=str(error))
            )
            error_page.status_code = error.status if isinstance(error, ApiError) else 422
            return error_page
        return HTMLResponse(render_page(ratings, provenance), headers={"Content-Security-Policy": PAGE_POLICY})

    return routes


async def _rate_while_connected(request: Request, job: RatingJob, rater: Rater) -> tuple[Ratings, Provenance]:
    """Rate in a thread until the client disconnects."""
    disconnect_event = Event()
    try:
        return await cancel_on_disconnect(request, run_in_threadpool(rater.rate, job, disconnect_event))
    finally:
        disconnect_event.set()


def _render_form(served: ServedRun, aspects: Sequence[str]) -> Markup:
    return _render_template("form", names=Markup(", ").join(aspects), limit=f"{served.limits.max_upload:,}")


def _render_template(name: str, **values: str) -> Markup:
    text = (files(__package__) / "templates" / f"{name}.html.tmpl").read_text("utf-8")
    return Markup(text).format(**values)  # noqa: S704  (our own; `format` escapes)
