"""Ratings behind HTTP: a file of reviews comes in, a page or JSON goes out."""

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
"""Files that are rated at the same time; each has a thread that waits."""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A page of ratings carries its own style, and nothing else is let in."""

REPLIES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Rated."},
    413: {"description": "The file is too large.", "model": Refusal},
    422: {"description": "Something in the file or the form is wrong; the answer says where.", "model": Refusal},
    503: {
        "description": "Too many files are being rated; `Retry-After` says for how many seconds.",
        "model": Refusal,
    },
}

Upload = Annotated[UploadFile, File(description="A .csv, .tsv, .jsonl or .parquet file with a review a row.")]
Text = Annotated[str, Form(description="The column of reviews.")]
By = Annotated[str, Form(description="The column that says what is reviewed; empty rates all together.")]
Date = Annotated[str, Form(description="The column of dates; empty for none.")]
Cut = Annotated[Literal["month", "quarter", "year"], Form(description="What dates are cut to.")]
Least = Annotated[int, Form(ge=1, description="With fewer reviews that mention an aspect, there is no rating.")]
Prior = Annotated[float, Form(ge=0, description="So many reviews the mean of all counts in each rating.")]
Bad = Annotated[Literal["refuse", "skip"], Form(description="What to do with a row that cannot be read.")]


def router(served: Served) -> APIRouter | None:
    """Make the routes below `/ratings`; None for a run that cannot rate."""
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
        """Give what `mtl absa rate --out ratings.json` writes."""
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
    """What was sent.

    Attributes:
        file: The file.
        columns: What stands where.
        settings: How ratings are made.
        skip_bad_rows: Whether rows that cannot be read are counted instead of refused.
    """

    file: UploadFile
    columns: Columns
    settings: Settings
    skip_bad_rows: bool

    @property
    def name(self) -> str:
        """The file's name, as its sender knows it."""
        return Path((self.file.filename or "reviews").replace("\\", "/")).name[-100:]


class Rater:
    """Rates files that are sent, some at a time.

    Args:
        served: The run.

    Attributes:
        aspects: What it rates.

    Raises:
        MtlError: If the run cannot rate.
    """

    def __init__(self, served: Served) -> None:
        self.aspects = aspects_of(served.saved).names
        self._served = served
        self._room = BoundedSemaphore(AT_ONCE)

    def rate(self, job: Job, gone: Event) -> tuple[Ratings, Origin]:
        """Rate a file; it is on the disk for as long as that takes.

        Args:
            job: What was sent.
            gone: Is set when nobody waits any more.

        Raises:
            MtlError: If the file cannot be rated; messages name it as its sender does.
            Problem: If too many files are being rated, or nobody waits any more.
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
                    raise Problem(GONE, "client", "a closed connection", "somebody who waits")
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
        """Take one of the places.

        Raises:
            Problem: If there is none.
        """
        if not self._room.acquire(blocking=False):
            expected = "one at a time: try again in 30 s"
            raise Problem(503, "server", "too many files that are being rated", expected, {"Retry-After": "30"})
        try:
            yield
        finally:
            self._room.release()


async def _while_present(request: Request, job: Job, rater: Rater) -> tuple[Ratings, Origin]:
    """Rate in a thread, for as long as the client is there."""
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
<p class="headline">Send a file of customers' reviews, and see how each product is judged in {names}.</p>
</header>
<section aria-labelledby="send-title">
<h2 id="send-title">Send a file</h2>
<form method="post" action="/ratings/page" enctype="multipart/form-data">
<p><label for="file">A .csv, .tsv, .jsonl or .parquet file, a review a row</label>
<input id="file" name="file" type="file" accept=".csv,.tsv,.jsonl,.parquet" required aria-describedby="limit">
<span id="limit" class="note">At most {limit} bytes. It is deleted when it has been rated.</span></p>
<p><label for="text">The column of reviews</label> <input id="text" name="text" value="review" required></p>
<p><label for="by">The column that says what is reviewed (empty: all together)</label> <input id="by" name="by"></p>
<p><label for="date">The column of dates (empty: none)</label> <input id="date" name="date"></p>
<p><label for="period">Changes by</label>
<select id="period" name="period"><option>month</option><option>quarter</option><option>year</option></select></p>
<p class="actions"><button type="submit">Rate</button>
<span class="note">Some hundred reviews take seconds; the page comes when it is done.</span></p>
</form>
<p class="note">Programs ask <code>POST /ratings</code>, which answers with JSON. For large files there is
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
