"""Progress file with the sums so far, from which an interrupted job is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from absa_plugin.rating.sums import AspectSums, ProductSums, Quote, Quotes, Sums, Tally
from mtl_core.atomic import write_text_atomically

EVERY = 1000
"""Minimum number of reviews between two saves."""
SHARE = 0.05
"""Maximum share of the time that is spent on saving."""


class KeptSums:
    """The file from which a job is resumed. It is written atomically.

    Args:
        path: The path of the file.
        job: Everything that determines the sums; the file of a different job is ignored.
        every: Minimum number of reviews between two saves.
    """

    def __init__(self, path: Path, job: Mapping[str, Any], every: int = EVERY) -> None:
        self.path = path
        self._job = json.loads(json.dumps(job))
        self._every = every
        self._done = 0
        self._next = 0.0

    def load(self) -> Sums | None:
        """Return the sums that an earlier process of the same job saved, or None."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["job"] != self._job:
                return None
            sums = _sums(kept["sums"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # missing, invalid, or of another version; the job starts from scratch
        self._done = sums.reviews
        return sums

    def save(self, sums: Sums, done: int) -> None:
        """Save the sums if enough reviews and time have passed since the last save.

        Raises:
            MtlError: If the file cannot be written.
        """
        start = perf_counter()
        if done - self._done < self._every or start < self._next:
            return
        text = json.dumps({"job": self._job, "sums": _state(sums)}, ensure_ascii=False)
        write_text_atomically(self.path, text)
        self._done = done
        end = perf_counter()
        self._next = end + (end - start) / SHARE

    def remove(self) -> None:
        """Remove the file after the job is done."""
        self.path.unlink(missing_ok=True)


def _state(sums: Sums) -> dict[str, Any]:
    return {
        "quotes": sums.quotes,
        "products": {
            name: [product.reviews, {aspect: _aspect_state(found) for aspect, found in product.aspects.items()}]
            for name, product in sums.products.items()
        },
    }


def _aspect_state(found: AspectSums) -> list[Any]:
    return [
        {
            period: [tally.reviews, tally.positive, tally.negative, tally.neutral, tally.conflict, tally.squares]
            for period, tally in found.periods.items()
        },
        [[quote.text, quote.where, quote.sure] for quote in found.praise.kept],
        [[quote.text, quote.where, quote.sure] for quote in found.complaints.kept],
    ]


def _sums(state: Mapping[str, Any]) -> Sums:
    return Sums(
        state["quotes"],
        {
            name: ProductSums(reviews, {aspect: _aspect_sums(*found) for aspect, found in aspects.items()})
            for name, (reviews, aspects) in state["products"].items()
        },
    )


def _aspect_sums(periods: Mapping[str, Any], praise: list[Any], complaints: list[Any]) -> AspectSums:
    return AspectSums(
        {period: Tally(*tally) for period, tally in periods.items()},
        Quotes([Quote(*quote) for quote in praise]),
        Quotes([Quote(*quote) for quote in complaints]),
    )
