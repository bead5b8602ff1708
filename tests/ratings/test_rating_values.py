"""Sums, intervals, ratings and quotes, compared with values computed by hand."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import pytest
from keyword_predictions import ASPECTS, build_reviews, predict_texts, rate_reviews_by_keywords

from mtl_core.nn.task_kind import LabelPrediction
from mtl_core.runs.prediction import Prediction, TaskPrediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_ratings.confidence_intervals import Sample, compute_difference, compute_interval
from mtl_ratings.opinions import (
    CHUNK_CHARACTERS,
    CHUNK_SIZE,
    ScoredSentence,
    Shares,
    aggregate_opinions,
    extract_opinions,
)
from mtl_ratings.polarity_counts import PolarityCounts, sum_counts
from mtl_ratings.quotes import Quotes
from mtl_ratings.ratings import AspectMean
from mtl_ratings.reviews import Review
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


# ── intervals ──


def test_interval_of_equal_graded_scores() -> None:
    """Eight scores of 0.25: the shrunken mean is (2 + 1.92) / (8 + 3.84) = 0.331, the pseudo-variance 2.215.

    The ratio of variances is 2.215 / (1.5 + 2.215) = 0.596, so the eight reviews count as 13.4 zeros and ones. The
    interval of Agresti and Coull for 3.355 of 13.42 is 0.3057 ± 0.2174.
    """
    assert compute_interval(Sample(8, 2.0, 0.5)) == pytest.approx((0.0883, 0.5230), abs=2e-4)


def compute_agresti_coull(n_successes: int, n: int) -> tuple[float, float]:
    square = 1.959964**2
    center = (n_successes + square / 2) / (n + square)
    half_width = 1.959964 * math.sqrt(center * (1 - center) / (n + square))
    return center - half_width, center + half_width


def test_difference_combines_both_intervals() -> None:
    """The distances of the bounds from the difference are the roots of the sums of squared distances."""
    later, earlier = compute_agresti_coull(12, 20), compute_agresti_coull(21, 30)
    difference, low, high = compute_difference(Sample(20, 12, 12), Sample(30, 21, 21))
    assert difference == pytest.approx(0.6 - 0.7)
    assert difference - low == pytest.approx(math.hypot(0.6 - later[0], earlier[1] - 0.7), rel=1e-4)
    assert high - difference == pytest.approx(math.hypot(later[1] - 0.6, 0.7 - earlier[0]), rel=1e-4)


# ── ratings ──


def test_ratings_of_all_products_and_aspects() -> None:
    texts = {"b": ["good food"] * 3, "a": ["bad food"], "C": ["so-so food"], "A": ["bus"]}
    ratings = rate_reviews_by_keywords(build_reviews(texts), PLAIN)
    assert list(ratings.products.items()) == [
        ("A", 1),
        ("a", 1),
        ("b", 3),
        ("C", 1),
    ]  # case decides only between equals
    assert list(ratings.aspects) == [AspectMean("food", 5, 1 + 4 * 3.5 / 5), AspectMean("service", 0, None)]
    assert ratings.settings == PLAIN
    assert [(row.product, row.aspect, row.mentions) for row in ratings.rows][4:6] == [
        ("b", "food", 3),
        ("b", "service", 0),
    ]


def build_dated_reviews(texts_by_period: dict[str, list[str]]) -> list[Review]:
    return [Review(text, "A", period) for period, texts in texts_by_period.items() for text in texts]


def test_change_is_four_times_the_difference_of_the_mean_scores() -> None:
    good, bad = "good food", "bad food"
    reviews = build_dated_reviews({"2025-01": [good] * 21 + [bad] * 9, "2025-02": [good] * 12 + [bad] * 8})
    change = rate_reviews_by_keywords(reviews, PLAIN).ratings["A", "food"].change
    assert change is not None
    difference, low, high = compute_difference(Sample(20, 12, 12), Sample(30, 21, 21))
    assert (change.difference, change.low, change.high) == pytest.approx((4 * difference, 4 * low, 4 * high))
    assert change.difference == pytest.approx(-0.4)


@pytest.mark.parametrize("min_mentions", [0, 1, 5])
def test_minimum_of_mentions_is_inclusive_in_periods_and_halves(min_mentions: int) -> None:
    enough = max(min_mentions, 1)
    settings = Settings(min_mentions=min_mentions, prior_reviews=0)
    reviews = build_dated_reviews({"2025-01": ["good food"] * enough, "2025-02": ["bad food"] * enough})
    rating = rate_reviews_by_keywords(reviews, settings).ratings["A", "food"]
    assert rating.change is not None
    assert [period.mean and period.mean.value for period in rating.periods] == [5.0, 1.0]
    if enough > 1:
        fewer = rate_reviews_by_keywords(reviews[1:], settings).ratings["A", "food"]
        assert fewer.change is None
        assert [period.mean and period.mean.value for period in fewer.periods] == [None, 1.0]


def test_one_period_has_no_halves() -> None:
    ratings = rate_reviews_by_keywords(build_dated_reviews({"2025-01": ["good food"] * 9}), PLAIN)
    assert (ratings.earlier, ratings.later) == ([], [])


# ── opinions and their chunks ──


def test_polarity_that_the_task_lacks_has_a_share_of_0() -> None:
    label = LabelPrediction("positive", {"positive": 0.6, "negative": 0.2, "absent": 0.2})
    prediction = Prediction("1", "a", {"food": TaskPrediction([label], absent_label="absent")})
    shares = aggregate_opinions([prediction], ["food"])["food"].shares
    assert asdict(shares) == pytest.approx({"positive": 0.75, "negative": 0.25, "neutral": 0.0, "conflict": 0.0})


def count_reviews_per_chunk(n_characters: list[int]) -> list[int]:
    reviews = [Review(" " * n) for n in n_characters]
    return [len(chunk) for chunk in extract_opinions(reviews, predict_texts, ASPECTS)]


def test_chunks_end_at_a_number_of_reviews_or_characters() -> None:
    assert count_reviews_per_chunk([1] * (2 * CHUNK_SIZE + 1)) == [CHUNK_SIZE, CHUNK_SIZE, 1]
    half = CHUNK_CHARACTERS // 2
    assert count_reviews_per_chunk([half, half - 1, 1, half, half - 1, 1, 1]) == [3, 3, 1]


def test_sentences_are_numbered_in_messages() -> None:
    inputs: list[PredictionInput] = []

    def predict(sentences: Iterable[PredictionInput]) -> Iterator[Prediction]:
        for sentence in sentences:
            inputs.append(sentence)
            yield from predict_texts([sentence])

    reviews = build_reviews({"A": ["Good food. Bad service.", "", "We came by bus."]})
    assert len(list(extract_opinions(reviews, predict, ASPECTS))) == 1
    assert [(one.id, one.location) for one in inputs] == [
        ("1", "r.csv:2: sentence 1"),
        ("2", "r.csv:2: sentence 2"),
        ("1", "r.csv:4: sentence 1"),
    ]


# ── quotes ──


def insert_quotes(limit: int, *sentences: tuple[str, float]) -> list[tuple[str, str, float]]:
    quotes = Quotes()
    for number, (text, confidence) in enumerate(sentences):
        quotes.insert(ScoredSentence(text, confidence), f"line {number}", limit)
    return [(quote.text, quote.location, quote.confidence) for quote in quotes.items]


def test_best_quotes_are_in_descending_order() -> None:
    texts = [f"we liked the food {word}" for word in ("one", "two", "three", "four", "five")]
    sentences = list(zip(texts, [0.7, 0.5, 0.9, 0.6, 0.12345678], strict=True))
    assert insert_quotes(3, *sentences) == [
        (texts[2], "line 2", 0.9),
        (texts[0], "line 0", 0.7),
        (texts[3], "line 3", 0.6),
    ]
    assert insert_quotes(9, *sentences)[-1] == (texts[4], "line 4", 0.1235)
    assert [text for text, _, _ in insert_quotes(1, *sentences)] == [texts[2]]


def test_of_equal_quotes_the_earlier_comes_first() -> None:
    sentences = [(f"we liked the food {word}", 0.5) for word in ("one", "two", "three")]
    assert [location for _, location, _ in insert_quotes(2, *sentences)] == ["line 0", "line 1"]


@pytest.mark.parametrize(
    ("preferred", "other"),
    [
        ("we liked the food", "we liked it"),
        (f"it is {'x' * 271} ok", f"it is {'x' * 272} ok"),
        ("we liked the food", "y" * 281),
    ],
)
def test_quotes_of_4_words_and_280_characters_are_preferred(preferred: str, other: str) -> None:
    assert len(preferred) in {17, 280}
    assert [text for text, _, _ in insert_quotes(2, (other, 0.9), (preferred, 0.5))] == [preferred, other]


def test_quotes_that_differ_in_punctuation_are_duplicates() -> None:
    sentences = [("We liked the food!", 0.5), ("we liked (the) food", 0.9), ("we like the food", 0.6)]
    assert [location for _, location, _ in insert_quotes(9, *sentences)] == ["line 2", "line 0"]


def test_quotes_have_the_location_of_their_review() -> None:
    reviews = build_reviews({"A": ["good food as always here", "bad food as always here"]})
    rating = rate_reviews_by_keywords(reviews, PLAIN).ratings["A", "food"]
    assert [quote.location for quote in (*rating.praise, *rating.complaints)] == ["line 2", "line 3"]
