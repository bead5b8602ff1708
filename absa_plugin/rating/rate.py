"""The rating pipeline, from a stream of reviews to ratings; the interface for Python programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from absa_plugin.rating.aspects import aspects_of
from absa_plugin.rating.opinions import hear
from absa_plugin.rating.ratings import Ratings, ratings_of
from absa_plugin.rating.reviews import Review
from absa_plugin.rating.settings import Settings
from absa_plugin.rating.sums import Sums

if TYPE_CHECKING:
    from absa_plugin.rating.kept import KeptSums
    from absa_plugin.rating.opinions import Ask
    from mtl_core.runs.saved import SavedRun


def rate_reviews(
    reviews: Iterable[Review], saved: SavedRun, settings: Settings | None = None, data_set: str | None = None
) -> Ratings:
    """Rate a stream of reviews. Memory grows with the number of products, not with the number of reviews.

    Args:
        reviews: The reviews, in any number.
        saved: A run whose tasks detect whether a sentence mentions an aspect.
        settings: How ratings are computed from the sums.
        data_set: The data set whose loader reads the texts, if the run has several; default: the first.

    Raises:
        MtlError: If the run has no task that can be rated.
    """
    from mtl_core.runs.predict import answers

    settings = settings or Settings()
    aspects = aspects_of(saved, data_set).names
    sums = add_up(reviews, lambda asked: answers(saved, asked, data_set=data_set), aspects, Sums(settings.quotes))
    return ratings_of(sums, aspects, settings)


def add_up(
    reviews: Iterable[Review],
    ask: Ask,
    aspects: Sequence[str],
    sums: Sums,
    kept: KeptSums | None = None,
    told: Callable[[int], None] | None = None,
) -> Sums:
    """Predict the opinions of reviews and add them to the sums.

    Args:
        reviews: All reviews; the first `sums.reviews` are skipped, because the sums contain them.
        ask: Function that predicts for a stream of inputs, in order.
        aspects: The tasks that are aspects.
        sums: The sums so far; changed in place.
        kept: Where the sums are saved periodically; None does not save them.
        told: Called with the number of processed reviews.

    Returns:
        `sums`.
    """
    done = sums.reviews
    for lot in hear(islice(reviews, done, None), ask, aspects):
        for heard in lot:
            sums.add(heard)
        done += len(lot)
        if kept is not None:
            kept.save(sums, done)
        if told is not None:
            told(done)
    return sums
