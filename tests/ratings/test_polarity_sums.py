"""The sums of a product's reviews: every polarity, and squared scores, on which the width of intervals depends."""

import math
from dataclasses import asdict

import pytest
from keyword_predictions import build_reviews, rate_reviews_by_keywords

from mtl_ratings.opinions import Shares
from mtl_ratings.polarity_counts import PolarityCounts, sum_counts
from mtl_ratings.settings import Settings

PLAIN = Settings(min_mentions=1, prior_reviews=0)

GRADED = Shares(positive=0.25, negative=0.5, neutral=0.125, conflict=0.125)
CLEAR = Shares(positive=1.0, negative=0.0, neutral=0.0, conflict=0.0)


def add(*reviews: Shares) -> PolarityCounts:
    counts = PolarityCounts()
    for shares in reviews:
        counts.add(shares)
    return counts


def test_score_is_the_positive_share_plus_half_of_neutral_and_conflict() -> None:
    assert GRADED.score == 0.25 + 0.125 / 2 + 0.125 / 2


def test_sums_over_reviews() -> None:
    assert asdict(add(GRADED, GRADED, CLEAR)) == {
        "reviews": 3,
        "positive": 1.5,
        "negative": 1.0,
        "neutral": 0.25,
        "conflict": 0.25,
        "sum_of_squares": 2 * 0.375**2 + 1,
    }
    assert add(GRADED, CLEAR).sample == (2, 1.375, 0.375**2 + 1)


def test_sum_of_counts_equals_the_counts_of_all_reviews() -> None:
    assert sum_counts([add(GRADED, CLEAR), PolarityCounts(), add(GRADED)]) == add(GRADED, CLEAR, GRADED)


@pytest.mark.parametrize(
    ("texts", "variance_ratio"), [(["so-so food"] * 40, 2.5 / 12.5), (["good food", "bad food"] * 20, 1)]
)
def test_agreeing_reviews_have_a_narrower_interval(texts: list[str], variance_ratio: float) -> None:
    """Both products have 3 stars from 40 reviews.

    Forty neutral reviews do not vary at all; ten pseudo-observations contribute a variance of 10 · 0.5² = 2.5, and
    40 · 0.5² = 10 is the largest variance that scores with a mean of 0.5 can have.
    """
    rating = rate_reviews_by_keywords(build_reviews({"A": texts}), PLAIN).ratings["A", "food"].rating
    assert rating is not None
    assert rating.value == 3.0
    half_width = 1.96 * math.sqrt(0.25 / (40 / variance_ratio + 1.96**2))
    assert (rating.low, rating.high) == pytest.approx(
        (1 + 4 * (0.5 - half_width), 1 + 4 * (0.5 + half_width)), abs=1e-3
    )
