"""Progress file with the sums so far, from which an interrupted job is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from mtl_core import write_text_atomically
from mtl_ratings.polarity_counts import PolarityCounts
from mtl_ratings.quotes import Quote, Quotes
from mtl_ratings.sums import AspectSums, ProductSums, Sums

MIN_REVIEWS_BETWEEN_SAVES = 1000
"""Minimum number of reviews between two saves."""
MAX_TIME_SHARE = 0.05
"""Maximum share of the time that is spent on saving."""


class ResumableState:
    """The file from which a job is resumed. It is written atomically.

    Args:
        path: The path of the file.
        job: Everything that determines the sums; the file of a different job is ignored.
        min_reviews: Minimum number of reviews between two saves.
    """

    def __init__(self, path: Path, job: Mapping[str, Any], min_reviews: int = MIN_REVIEWS_BETWEEN_SAVES) -> None:
        self.path = path
        self._job = json.loads(json.dumps(job))
        self._min_reviews = min_reviews
        self._n_saved = 0
        self._next_save_time = 0.0

    def load(self) -> Sums | None:
        """Return the sums that an earlier process of the same job saved, or None."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["job"] != self._job:
                return None
            sums = _load_sums(content["sums"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # missing, invalid, or of another version; the job starts from scratch
        self._n_saved = sums.reviews
        return sums

    def save(self, sums: Sums, n_reviews: int) -> None:
        """Save the sums if enough reviews and time have passed since the last save.

        Raises:
            MtlError: If the file cannot be written.
        """
        start = perf_counter()
        if n_reviews - self._n_saved < self._min_reviews or start < self._next_save_time:
            return
        text = json.dumps({"job": self._job, "sums": _dump_sums(sums)}, ensure_ascii=False)
        write_text_atomically(self.path, text)
        self._n_saved = n_reviews
        end = perf_counter()
        self._next_save_time = end + (end - start) / MAX_TIME_SHARE

    def remove(self) -> None:
        """Remove the file after the job is done."""
        self.path.unlink(missing_ok=True)


def _dump_sums(sums: Sums) -> dict[str, Any]:
    return {
        "quotes": sums.quotes,
        "products": {
            name: [
                product.reviews,
                {aspect: _dump_aspect(aspect_sums) for aspect, aspect_sums in product.aspects.items()},
            ]
            for name, product in sums.products.items()
        },
    }


def _dump_aspect(aspect_sums: AspectSums) -> list[Any]:
    return [
        {
            period: [
                counts.reviews,
                counts.positive,
                counts.negative,
                counts.neutral,
                counts.conflict,
                counts.sum_of_squares,
            ]
            for period, counts in aspect_sums.periods.items()
        },
        [[quote.text, quote.location, quote.confidence] for quote in aspect_sums.praise.items],
        [[quote.text, quote.location, quote.confidence] for quote in aspect_sums.complaints.items],
    ]


def _load_sums(state: Mapping[str, Any]) -> Sums:
    return Sums(
        state["quotes"],
        {
            name: ProductSums(
                reviews, {aspect: _load_aspect(*aspect_state) for aspect, aspect_state in aspects.items()}
            )
            for name, (reviews, aspects) in state["products"].items()
        },
    )


def _load_aspect(periods: Mapping[str, Any], praise: list[Any], complaints: list[Any]) -> AspectSums:
    return AspectSums(
        {period: PolarityCounts(*counts) for period, counts in periods.items()},
        Quotes([Quote(*quote) for quote in praise]),
        Quotes([Quote(*quote) for quote in complaints]),
    )
