"""Ratings over HTTP: the request contains a file of reviews, the response is a page or JSON."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Event
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from mtl_core.errors import MtlError
from mtl_core.runs.predict import PredictionInput
from mtl_core.runs.prediction import Prediction
from mtl_core.serving.api_errors import ApiError, json_response
from mtl_core.serving.disconnect import CLIENT_CLOSED_REQUEST, cancel_on_disconnect
from mtl_core.serving.schemas import ErrorResponse
from mtl_core.serving.served_run import ServedRun
from mtl_ratings.aspects import find_aspects
from mtl_ratings.json_record import build_ratings_record
from mtl_ratings.page import render_page
from mtl_ratings.pipeline import aggregate_reviews
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Ratings, compute_ratings
from mtl_ratings.review_file import open_reviews
from mtl_ratings.reviews import read_valid_reviews, scan_reviews
from mtl_ratings.settings import Columns, Settings
from mtl_ratings.sums import Sums

MAX_CONCURRENT_JOBS = 2
"""Maximum number of files that are rated at the same time; each occupies one thread."""
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
PriorReviewsField = Annotated[
    float, Form(ge=0, description="Weight of the overall mean in each rating, in reviews.")
]
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
            error_page = served.page_layout.render_page("Ratings from reviews", _render_error(str(error)))
            error_page.status_code = error.status if isinstance(error, ApiError) else 422
            return error_page
        return HTMLResponse(render_page(ratings, provenance), headers={"Content-Security-Policy": PAGE_POLICY})

    return routes


@dataclass(frozen=True)
class RatingJob:
    """A request to rate a file.

    Attributes:
        file: The uploaded file.
        columns: The names of the columns.
        settings: How ratings are computed.
        skip_bad_rows: Whether rows that cannot be read are skipped and counted; otherwise they are errors.
    """

    file: UploadFile
    columns: Columns
    settings: Settings
    skip_bad_rows: bool

    @property
    def file_name(self) -> str:
        """The client's name of the file."""
        return Path((self.file.filename or "reviews").replace("\\", "/")).name[-100:]


class Rater:
    """Rates uploaded files, with a limit on the number of concurrent jobs.

    Args:
        served: The run.

    Attributes:
        aspects: The aspects that it rates.

    Raises:
        MtlError: If the run has no task that can be rated.
    """

    def __init__(self, served: ServedRun) -> None:
        self.aspects = find_aspects(served.saved).names
        self._served = served
        self._slots = BoundedSemaphore(MAX_CONCURRENT_JOBS)

    def rate(self, job: RatingJob, disconnect_event: Event) -> tuple[Ratings, Provenance]:
        """Rate a file; a temporary copy is on disk meanwhile.

        Args:
            job: The request.
            disconnect_event: Set when the client disconnects.

        Raises:
            MtlError: If the file cannot be rated; messages contain the client's name of the file.
            Problem: If too many files are being rated, or the client has disconnected.
        """
        with self.acquire_slot(), TemporaryDirectory() as folder:
            path = Path(folder) / f"reviews{Path(job.file_name).suffix.lower()}"
            with path.open("wb") as copy:
                shutil.copyfileobj(job.file.file, copy)
            try:
                return self._rate_file(path, job, disconnect_event)
            except MtlError as error:
                raise MtlError(str(error).replace(str(path), job.file_name)) from error

    def _rate_file(self, path: Path, job: RatingJob, disconnect_event: Event) -> tuple[Ratings, Provenance]:
        def predict(inputs: Iterable[PredictionInput]) -> Iterator[Prediction]:
            for prediction in self._served.predict_stream(inputs):
                if disconnect_event.is_set():
                    raise ApiError(CLIENT_CLOSED_REQUEST, "client", "a closed connection", "an open connection")
                yield prediction

        reviews = open_reviews(path, job.columns.names)
        scan = scan_reviews(reviews, job.columns, job.skip_bad_rows)
        sums = aggregate_reviews(
            read_valid_reviews(reviews, job.columns), predict, self.aspects, Sums(job.settings.quotes)
        )
        scan = replace(scan, messages=tuple(line.replace(str(path), job.file_name) for line in scan.messages))
        layout = self._served.page_layout
        provenance = Provenance(job.file_name, job.columns, scan, layout.name, layout.disclaimer)
        return compute_ratings(sums, self.aspects, job.settings), provenance

    @contextmanager
    def acquire_slot(self) -> Iterator[None]:
        """Hold one of the job slots.

        Raises:
            Problem: If no slot is free.
        """
        if not self._slots.acquire(blocking=False):
            expected = "one at a time: try again in 30 s"
            raise ApiError(503, "server", "too many files that are being rated", expected, {"Retry-After": "30"})
        try:
            yield
        finally:
            self._slots.release()


async def _rate_while_connected(request: Request, job: RatingJob, rater: Rater) -> tuple[Ratings, Provenance]:
    """Rate in a thread until the client disconnects."""
    disconnect_event = Event()
    try:
        return await cancel_on_disconnect(request, run_in_threadpool(rater.rate, job, disconnect_event))
    finally:
        disconnect_event.set()


def _render_form(served: ServedRun, aspects: Sequence[str]) -> Markup:
    names = Markup(", ").join(aspects)
    return Markup(_FORM_TEMPLATE).format(names=names, limit=f"{served.limits.max_upload:,}")  # noqa: S704  (our own)


def _render_error(message: str) -> Markup:
    return Markup(_ERROR_TEMPLATE).format(message=message)  # noqa: S704  (our own; `format` escapes)


_FORM_TEMPLATE = """\
<header>
<h1>Ratings from reviews</h1>
<p class="headline">Upload a file of customer reviews to rate each product by aspect: {names}.</p>
</header>
<section aria-labelledby="send-title">
<h2 id="send-title">Upload a file</h2>
<form method="post" action="/ratings/page" enctype="multipart/form-data">
<p><label for="file">A .csv, .tsv, .jsonl or .parquet file, one review per row</label>
<input id="file" name="file" type="file" accept=".csv,.tsv,.jsonl,.parquet" required aria-describedby="limit">
<span id="limit" class="note">At most {limit} bytes. The file is deleted after it has been rated.</span></p>
<p><label for="text">Column with the review texts</label> <input id="text" name="text" value="review" required></p>
<p><label for="by">Column with the product names (empty: all reviews together)</label> <input id="by" name="by"></p>
<p><label for="date">Column with the dates (empty: none)</label> <input id="date" name="date"></p>
<p><label for="period">Changes by</label>
<select id="period" name="period"><option>month</option><option>quarter</option><option>year</option></select></p>
<p class="actions"><button type="submit">Rate</button>
<span class="note">A few hundred reviews take seconds; then the page opens.</span></p>
</form>
<p class="note">For programs, <code>POST /ratings</code> returns JSON. For large files, use
<code>mtl absa rate</code>.</p>
</section>
"""
_ERROR_TEMPLATE = """\
<header>
<h1>This file cannot be rated</h1>
</header>
<p class="notice" role="alert">{message}</p>
<p><a href="/ratings">Back to the form</a></p>
"""
