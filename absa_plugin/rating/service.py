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

from absa_plugin.rating.as_json import ratings_record
from absa_plugin.rating.aspects import aspects_of
from absa_plugin.rating.files import open_reviews
from absa_plugin.rating.origin import Origin
from absa_plugin.rating.page import page_text
from absa_plugin.rating.rate import add_up
from absa_plugin.rating.ratings import Ratings, ratings_of
from absa_plugin.rating.reviews import good_reviews, survey
from absa_plugin.rating.settings import Columns, Settings
from absa_plugin.rating.sums import Sums
from mtl_core.errors import MtlError
from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question
from mtl_core.serving.messages import Refusal
from mtl_core.serving.presence import GONE, while_present
from mtl_core.serving.problems import Problem, json_response
from mtl_core.serving.served import Served

AT_ONCE = 2
"""Maximum number of files that are rated at the same time; each occupies one thread."""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Content-Security-Policy of a page of ratings: only its inline style is allowed."""

REPLIES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The ratings."},
    413: {"description": "The file is too large.", "model": Refusal},
    422: {"description": "The file or the form is invalid; the response contains the location.", "model": Refusal},
    503: {
        "description": "Too many files are being rated; `Retry-After` contains the seconds to wait.",
        "model": Refusal,
    },
}

Upload = Annotated[UploadFile, File(description="A .csv, .tsv, .jsonl or .parquet file, one review per row.")]
Text = Annotated[str, Form(description="The column with the review texts.")]
By = Annotated[str, Form(description="The column with the product names; empty rates all reviews together.")]
Date = Annotated[str, Form(description="The column with the dates; empty for none.")]
Cut = Annotated[Literal["month", "quarter", "year"], Form(description="The period of changes over time.")]
Least = Annotated[int, Form(ge=1, description="Minimum number of reviews that mention an aspect for a rating.")]
Prior = Annotated[float, Form(ge=0, description="Weight of the overall mean in each rating, in reviews.")]
Bad = Annotated[Literal["refuse", "skip"], Form(description="What to do with a row that cannot be read.")]


def router(served: Served) -> APIRouter | None:
    """Build the routes below `/ratings`; return None for a run that has no task that can be rated."""
    try:
        rater = Rater(served)
    except MtlError:
        return None
    routes = APIRouter()

    @routes.get("", include_in_schema=False)
    async def form() -> Response:
        return served.frame.page("Ratings from reviews", _form(served, rater.aspects))

    @routes.post("", summary="Rate a file of reviews", responses=REPLIES)
    async def rate(
        request: Request,
        file: Upload,
        text: Text,
        by: By = "",
        date: Date = "",
        period: Cut = "month",
        min_mentions: Least = 5,
        prior_reviews: Prior = 10.0,
        bad_rows: Bad = "refuse",
    ) -> Response:
        """Return the ratings as JSON, as in `mtl absa rate --out ratings.json`."""
        columns = Columns(text, by or None, date or None, period=period)
        job = Job(file, columns, Settings(min_mentions, prior_reviews), bad_rows == "skip")
        ratings, origin = await _while_present(request, job, rater)
        return json_response(ratings_record(ratings, origin))

    @routes.post("/page", include_in_schema=False)
    async def page(
        request: Request,
        file: Upload,
        text: Text,
        by: By = "",
        date: Date = "",
        period: Cut = "month",
        bad_rows: Bad = "skip",
    ) -> Response:
        columns = Columns(text.strip(), by.strip() or None, date.strip() or None, period=period)
        try:
            job = Job(file, columns, Settings(), bad_rows == "skip")
            ratings, origin = await _while_present(request, job, rater)
        except (MtlError, Problem) as error:
            refused = served.frame.page("Ratings from reviews", _refused(str(error)))
            refused.status_code = error.status if isinstance(error, Problem) else 422
            return refused
        return HTMLResponse(page_text(ratings, origin), headers={"Content-Security-Policy": PAGE_POLICY})

    return routes


@dataclass(frozen=True)
class Job:
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
    def name(self) -> str:
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

    def __init__(self, served: Served) -> None:
        self.aspects = aspects_of(served.saved).names
        self._served = served
        self._room = BoundedSemaphore(AT_ONCE)

    def rate(self, job: Job, gone: Event) -> tuple[Ratings, Origin]:
        """Rate a file; a temporary copy is on disk meanwhile.

        Args:
            job: The request.
            gone: Set when the client disconnects.

        Raises:
            MtlError: If the file cannot be rated; messages contain the client's name of the file.
            Problem: If too many files are being rated, or the client has disconnected.
        """
        with self.turn(), TemporaryDirectory() as folder:
            path = Path(folder) / f"reviews{Path(job.name).suffix.lower()}"
            with path.open("wb") as copy:
                shutil.copyfileobj(job.file.file, copy)
            try:
                return self._rated(path, job, gone)
            except MtlError as error:
                raise MtlError(str(error).replace(str(path), job.name)) from error

    def _rated(self, path: Path, job: Job, gone: Event) -> tuple[Ratings, Origin]:
        def ask(questions: Iterable[Question]) -> Iterator[Answer]:
            for answer in self._served.answers(questions):
                if gone.is_set():
                    raise Problem(GONE, "client", "a closed connection", "an open connection")
                yield answer

        reviews = open_reviews(path, job.columns.names)
        found = survey(reviews, job.columns, job.skip_bad_rows)
        sums = add_up(good_reviews(reviews, job.columns), ask, self.aspects, Sums(job.settings.quotes))
        found = replace(found, told=tuple(line.replace(str(path), job.name) for line in found.told))
        frame = self._served.frame
        origin = Origin(job.name, job.columns, found, frame.name, frame.notice)
        return ratings_of(sums, self.aspects, job.settings), origin

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the job slots.

        Raises:
            Problem: If no slot is free.
        """
        if not self._room.acquire(blocking=False):
            expected = "one at a time: try again in 30 s"
            raise Problem(503, "server", "too many files that are being rated", expected, {"Retry-After": "30"})
        try:
            yield
        finally:
            self._room.release()


async def _while_present(request: Request, job: Job, rater: Rater) -> tuple[Ratings, Origin]:
    """Rate in a thread until the client disconnects."""
    gone = Event()
    try:
        return await while_present(request, run_in_threadpool(rater.rate, job, gone))
    finally:
        gone.set()


def _form(served: Served, aspects: Sequence[str]) -> Markup:
    names = Markup(", ").join(aspects)
    return Markup(_FORM).format(names=names, limit=f"{served.limits.max_upload:,}")  # noqa: S704  (our own)


def _refused(message: str) -> Markup:
    return Markup(_REFUSED).format(message=message)  # noqa: S704  (our own; `format` escapes)


_FORM = """\
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
_REFUSED = """\
<header>
<h1>This file cannot be rated</h1>
</header>
<p class="notice" role="alert">{message}</p>
<p><a href="/ratings">Back to the form</a></p>
"""
