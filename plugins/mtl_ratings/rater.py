"""Ratings of uploaded files, a limited number at a time."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Event

from fastapi import UploadFile

from mtl_core import CLIENT_CLOSED_REQUEST, ApiError, MtlError, ServedRun
from mtl_core.runs import Prediction, PredictionInput
from mtl_ratings.aspects import find_aspects
from mtl_ratings.pipeline import run_pipeline
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Ratings
from mtl_ratings.readers.open_reviews import open_reviews
from mtl_ratings.reviews import read_valid_reviews
from mtl_ratings.scan import scan_reviews
from mtl_ratings.settings import Columns, Settings

MAX_CONCURRENT_JOBS = 2
"""Maximum number of files that are rated at the same time; each occupies one thread."""


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
            ApiError: If too many files are being rated, or the client has disconnected.
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
        ratings = run_pipeline(read_valid_reviews(reviews, job.columns), predict, self.aspects, job.settings)
        scan = replace(scan, messages=tuple(line.replace(str(path), job.file_name) for line in scan.messages))
        layout = self._served.page_layout
        provenance = Provenance(job.file_name, job.columns, scan, layout.name, layout.disclaimer)
        return ratings, provenance

    @contextmanager
    def acquire_slot(self) -> Iterator[None]:
        """Hold one of the job slots.

        Raises:
            ApiError: If no slot is free.
        """
        if not self._slots.acquire(blocking=False):
            expected = "one at a time: try again in 30 s"
            raise ApiError(503, "server", "too many files that are being rated", expected, {"Retry-After": "30"})
        try:
            yield
        finally:
            self._slots.release()
