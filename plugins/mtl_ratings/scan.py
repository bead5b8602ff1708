"""A validation pass over all rows of a file, before the expensive prediction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mtl_core import MtlError
from mtl_ratings.readers.review_file import BadRow, ReviewFile
from mtl_ratings.reviews import read_reviews
from mtl_ratings.settings import Columns

MAX_REPORTED_ROWS = 20
"""Maximum number of bad rows that are reported individually."""


@dataclass(frozen=True)
class ReviewScan:
    """The result of the validation pass over a file.

    Attributes:
        n_reviews: Number of reviews.
        n_empty: Number of reviews without text.
        n_undated: Number of reviews without a date, if there is a column of dates.
        n_bad: Number of rows that cannot be read.
        messages: Messages of the first of these rows, with their locations.
        fingerprint: Hash of the bytes of the file.
    """

    n_reviews: int
    n_empty: int
    n_undated: int
    n_bad: int
    messages: tuple[str, ...]
    fingerprint: str


def scan_reviews(file: ReviewFile, columns: Columns, skip_bad_rows: bool) -> ReviewScan:
    """Validate all rows once, which takes seconds where the network takes hours.

    Args:
        file: The file.
        columns: The names of the columns.
        skip_bad_rows: Whether bad rows are skipped and counted; otherwise they are errors.

    Raises:
        MtlError: If the file contains no review; at the first bad row, unless bad rows are skipped.
    """
    n_reviews = n_empty = n_undated = n_bad = 0
    messages: list[str] = []
    for row in read_reviews(file, columns):
        if isinstance(row, BadRow):
            if not skip_bad_rows:
                raise MtlError(f"{row}\n(`--bad-rows skip` skips and counts rows that cannot be read)")
            n_bad += 1
            if len(messages) < MAX_REPORTED_ROWS:
                messages.append(str(row))
            continue
        n_reviews += 1
        n_empty += not row.text.strip()
        n_undated += columns.date is not None and row.period is None
    if not n_reviews:
        reason = f": none of {n_bad} rows can be read; the first error: {messages[0]}" if n_bad else ""
        raise MtlError(f"{file.path}: contains no review{reason}")
    with file.path.open("rb") as data:
        fingerprint = hashlib.file_digest(data, "blake2b").hexdigest()[:32]
    return ReviewScan(n_reviews, n_empty, n_undated, n_bad, tuple(messages), fingerprint)
