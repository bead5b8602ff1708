"""Rating, from a stream of reviews to ratings. This is what Python programs call."""

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
    """Rate a stream of reviews; memory does not grow with their number, only with that of products.

    Args:
        reviews: The reviews.
        saved: A run whose tasks say whether a sentence mentions their aspect.
        settings: How sums become ratings.
        data_set: The data set as whose texts they are read, if the run has several; the first if left out.

    Raises:
        MtlError: If the run cannot rate.
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
    """Ask the network about reviews, and add up what they say.

    Args:
        reviews: All reviews, also those that `sums` holds already: as many of them are passed over.
        ask: Answers questions in their order.
        aspects: The tasks that are aspects.
        sums: What was added up before; it is changed.
        kept: Where sums are saved now and then, at the same reviews whether the job was cut off or not.
        told: Is told how many reviews are done.

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
