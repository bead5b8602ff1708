"""The rating pipeline, from a stream of reviews to ratings; the interface for Python programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from mtl_ratings.aspects import find_aspects
from mtl_ratings.compute_ratings import compute_ratings
from mtl_ratings.opinions import extract_opinions
from mtl_ratings.ratings import Ratings
from mtl_ratings.reviews import Review
from mtl_ratings.settings import Settings
from mtl_ratings.sums import Sums

if TYPE_CHECKING:
    from mtl_core.runs import SavedRun
    from mtl_ratings.opinions import Predictor
    from mtl_ratings.resumable_state import ResumableState


def rate_reviews(
    reviews: Iterable[Review], saved_run: SavedRun, settings: Settings | None = None, data_set: str | None = None
) -> Ratings:
    """Rate a stream of reviews. Memory grows with the number of products, not with the number of reviews.

    Args:
        reviews: The reviews, in any number.
        saved_run: A run whose tasks detect whether a sentence mentions an aspect.
        settings: How ratings are computed from the sums.
        data_set: The data set whose loader reads the texts, if the run has several; default: the first.

    Raises:
        MtlError: If the run has no task that can be rated.
    """
    from mtl_core.runs import iterate_predictions

    predict = partial(iterate_predictions, saved_run, data_set=data_set)
    return run_pipeline(reviews, predict, find_aspects(saved_run, data_set).names, settings or Settings())


def run_pipeline(
    reviews: Iterable[Review],
    predict: Predictor,
    aspects: Sequence[str],
    settings: Settings,
    sums: Sums | None = None,
    resumable_state: ResumableState | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Ratings:
    """Predict the opinions of reviews, aggregate them, and compute ratings; see `aggregate_reviews`."""
    sums = aggregate_reviews(reviews, predict, aspects, sums or Sums(settings.quotes), resumable_state, on_progress)
    return compute_ratings(sums, aspects, settings)


def aggregate_reviews(
    reviews: Iterable[Review],
    predict: Predictor,
    aspects: Sequence[str],
    sums: Sums,
    resumable_state: ResumableState | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Sums:
    """Predict the opinions of reviews and add them to the sums.

    Args:
        reviews: All reviews; the first `sums.reviews` are skipped, because the sums contain them.
        predict: Function that predicts for a stream of inputs, in order.
        aspects: The tasks that are aspects.
        sums: The sums so far; changed in place.
        resumable_state: Where the sums are saved periodically; None does not save them.
        on_progress: Called with the number of processed reviews.

    Returns:
        `sums`.
    """
    n_reviews = sums.reviews
    for chunk in extract_opinions(islice(reviews, n_reviews, None), predict, aspects):
        for review_opinions in chunk:
            sums.add(review_opinions)
        n_reviews += len(chunk)
        if resumable_state is not None:
            resumable_state.save(sums, n_reviews)
        if on_progress is not None:
            on_progress(n_reviews)
    return sums
