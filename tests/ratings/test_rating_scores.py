"""Ratings: one vote per review, the prior, confidence intervals, changes over time, quotes."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from math import comb
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyword_predictions import (
    ASPECTS,
    build_reviews,
    build_task_prediction,
    predict_texts,
    rate_reviews_by_keywords,
)

from mtl_core.runs.prediction import Prediction
from mtl_ratings.confidence_intervals import Sample, compute_difference, compute_interval
from mtl_ratings.opinions import CHUNK_SIZE, aggregate_opinions
from mtl_ratings.pipeline import aggregate_reviews
from mtl_ratings.quotes import MIN_QUOTE_WORDS
from mtl_ratings.ratings import Rating
from mtl_ratings.resumable_state import ResumableState
from mtl_ratings.reviews import Review
from mtl_ratings.settings import Settings
from mtl_ratings.sums import Sums

PLAIN = Settings(min_mentions=1, prior_reviews=0)


def _rate_food(reviews: list[Review], settings: Settings = PLAIN, product: str = "A") -> Rating:
    return rate_reviews_by_keywords(reviews, settings).ratings[product, "food"]


def test_a_review_has_one_vote_however_long_it_is() -> None:
    long = " ".join(["good food."] * 40)
    food_rating = _rate_food(build_reviews({"A": [long, "bad food"]}))
    assert (food_rating.mentions, food_rating.positive, food_rating.negative) == (2, 0.5, 0.5)
    assert food_rating.rating is not None
    assert food_rating.rating.value == 3.0


@pytest.mark.parametrize(("word", "stars"), [("good", 5.0), ("bad", 1.0), ("so-so", 3.0), ("mixed", 3.0)])
def test_polarities_map_to_stars(word: str, stars: float) -> None:
    food_rating = _rate_food(build_reviews({"A": [f"{word} food"] * 3}))
    assert food_rating.rating is not None
    assert food_rating.rating.value == stars


def test_a_conflict_is_half_positive_half_negative_and_not_neutral() -> None:
    food_rating = _rate_food(build_reviews({"A": ["mixed food", "good food", "so-so food", "mixed food"]}))
    assert (food_rating.positive, food_rating.neutral, food_rating.negative, food_rating.conflict) == (
        0.5,
        0.25,
        0.25,
        0.5,
    )


def test_unmentioned_aspect_is_not_rated() -> None:
    ratings = rate_reviews_by_keywords(build_reviews({"A": ["good food", "", "😍", "we came by bus"]}), PLAIN)
    assert ratings.reviews == ratings.products["A"] == 4
    assert ratings.ratings["A", "food"].mentions == 1
    assert ratings.ratings["A", "service"] == Rating("A", "service", 0)
    assert ratings.aspects[1].mean is None


def test_sentences_are_weighted_by_detection_probability() -> None:
    sentences = [
        Prediction("1", "a", {"food": build_task_prediction(0.9, positive=1.0)}),
        Prediction("2", "b", {"food": build_task_prediction(0.6, negative=0.5, neutral=0.5)}),
        Prediction("3", "c", {"food": build_task_prediction(0.4, negative=1.0)}),  # below the threshold: ignored
    ]
    shares = aggregate_opinions(sentences, ["food"])["food"].shares
    assert shares.positive == pytest.approx(0.9 / 1.5)
    assert shares.negative == shares.neutral == pytest.approx(0.3 / 1.5)


def test_few_mentions_are_insufficient_evidence() -> None:
    ratings = rate_reviews_by_keywords(
        build_reviews({"A": ["good food"] * 4, "B": ["bad food"] * 5}), Settings(min_mentions=5)
    )
    assert ratings.ratings["A", "food"].rating is None
    assert ratings.ratings["A", "food"].mentions == 4
    assert ratings.ratings["B", "food"].rating is not None


def test_prior_counts_as_reviews_with_the_overall_mean() -> None:
    reviews = build_reviews({"A": ["good food"] * 6, "B": ["bad food"] * 14})
    food_rating = rate_reviews_by_keywords(reviews, Settings(min_mentions=1, prior_reviews=10)).ratings["A", "food"]
    assert food_rating.rating is not None
    assert food_rating.rating.value == pytest.approx(1 + 4 * (6 + 10 * 0.3) / (6 + 10))  # the overall mean is 6 of 20
    assert food_rating.rating.low <= food_rating.rating.value <= food_rating.rating.high
    strong_prior_rating = (
        rate_reviews_by_keywords(reviews, Settings(min_mentions=1, prior_reviews=1000)).ratings["A", "food"].rating
    )
    assert strong_prior_rating is not None
    assert strong_prior_rating.value == pytest.approx(1 + 4 * 0.3, abs=0.05)
    assert (
        strong_prior_rating.low <= strong_prior_rating.value
    )  # widened: without the prior, the interval of six good reviews starts far above


def test_prior_does_not_change_a_single_product() -> None:
    reviews = build_reviews({"A": ["good food"] * 3 + ["bad food"]})
    food_rating = rate_reviews_by_keywords(reviews, Settings(min_mentions=1, prior_reviews=10)).ratings["A", "food"]
    assert food_rating.rating is not None
    assert food_rating.rating.value == pytest.approx(4.0)


def _build_sample(values: Sequence[float]) -> Sample:
    return Sample(len(values), sum(values), sum(value**2 for value in values))


def _build_binary_sample(good: int, n: int) -> Sample:
    return Sample(n, good, good)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
@settings(max_examples=100)
def test_intervals_contain_the_mean_and_shrink_with_more_reviews(values: list[float]) -> None:
    low, high = compute_interval(_build_sample(values))
    assert 0 <= low <= sum(values) / len(values) + 1e-9
    assert sum(values) / len(values) - 1e-9 <= high <= 1
    narrower = compute_interval(_build_sample(values * 2))
    assert narrower[1] - narrower[0] <= high - low + 1e-9
    similar_values = [value / 100 + 0.985 for value in values] * 10
    assert compute_interval(_build_sample(similar_values))[1] >= sum(similar_values) / len(similar_values)
    agresti_coull = compute_interval(Sample(len(values), sum(values), sum(values)))
    assert high - low <= agresti_coull[1] - agresti_coull[0] + 1e-9


def _compute_coverage(n: int, truth: float) -> float:
    """Compute the exact coverage of the interval of `n` reviews, each positive with probability `truth`."""
    return sum(
        comb(n, good) * truth**good * (1 - truth) ** (n - good)
        for good in range(n + 1)
        if compute_interval(_build_binary_sample(good, n))[0]
        <= truth
        <= compute_interval(_build_binary_sample(good, n))[1]
    )


@pytest.mark.parametrize("n", [5, 6, 8, 10, 15, 20, 40, 100])
def test_interval_coverage_holds_for_few_mentions(n: int) -> None:
    """The usual "± 1.96 standard errors" covers far less than 95 %: 64 % on average for 5 mentions."""
    coverages = [_compute_coverage(n, truth / 200) for truth in range(1, 200)]
    assert sum(coverages) / len(coverages) > 0.95
    assert min(coverages) > (0.89 if n < 8 else 0.92)


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize("weights", [(6, 1, 1), (1, 1, 3), (9, 1, 0), (1, 4, 1), (30, 0, 1)])
def test_interval_coverage_holds_for_graded_opinions(n: int, weights: tuple[int, int, int]) -> None:
    """Opinions are probabilities, not binary values."""
    draw, values = random.Random(n), (0.95, 0.5, 0.05)
    truth = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    spans = [compute_interval(_build_sample(draw.choices(values, weights, k=n))) for _ in range(600)]
    assert sum(low <= truth <= high for low, high in spans) / 600 > 0.925
    if n == 100 and weights == (1, 4, 1):  # nearly all in between: far narrower than for binary values
        assert max(high - low for low, high in spans) < 0.75 * (
            compute_interval(_build_binary_sample(50, 100))[1] - compute_interval(_build_binary_sample(50, 100))[0]
        )


@pytest.mark.parametrize(("earlier", "later", "n"), [(0.5, 0.5, 5), (0.9, 0.9, 8), (0.8, 0.3, 10), (0.7, 0.6, 40)])
def test_difference_intervals_have_the_stated_coverage(earlier: float, later: float, n: int) -> None:
    draw, n_covered = random.Random(2), 0
    for _ in range(800):
        before = sum(draw.random() < earlier for _ in range(n))
        after = sum(draw.random() < later for _ in range(n))
        _, low, high = compute_difference(_build_binary_sample(after, n), _build_binary_sample(before, n))
        n_covered += low <= later - earlier <= high
    assert n_covered / 800 > 0.93


def _build_dated_reviews(parts: dict[str, list[str]]) -> list[Review]:
    return [Review(text, "A", period) for period, texts in parts.items() for text in texts]


def test_a_change_compares_the_later_half_of_the_periods_with_the_earlier() -> None:
    good, bad = ["good food"] * 8, ["bad food"] * 8
    ratings = rate_reviews_by_keywords(
        _build_dated_reviews({"2025-01": good, "2025-02": good, "2025-03": bad, "2025-04": bad}), PLAIN
    )
    assert (ratings.earlier, ratings.later) == (["2025-01", "2025-02"], ["2025-03", "2025-04"])
    food_rating = ratings.ratings["A", "food"]
    assert food_rating.change is not None
    assert food_rating.change.difference == -4.0
    assert food_rating.change.is_clear
    assert [(part.period, part.mentions, part.mean and part.mean.value) for part in food_rating.periods] == [
        ("2025-01", 8, 5.0),
        ("2025-02", 8, 5.0),
        ("2025-03", 8, 1.0),
        ("2025-04", 8, 1.0),
    ]


def test_change_requires_evidence() -> None:
    steady = ["good food", "bad food"] * 5
    change = _rate_food(_build_dated_reviews({"2025-01": steady, "2025-02": [*steady, "bad food"]}), Settings()).change
    assert change is not None
    assert not change.is_clear
    assert (
        _rate_food(_build_dated_reviews({"2025-01": ["good food"] * 9, "2025-02": ["bad food"] * 4}), Settings()).change
        is None
    )
    assert _rate_food(_build_dated_reviews({"2025-01": ["good food"] * 9}), Settings()).change is None
    undated = [Review("bad food", "A", None)] * 9
    ratings = rate_reviews_by_keywords(_build_dated_reviews({"2025-01": ["good food"] * 9}) + undated, Settings())
    assert ratings.ratings["A", "food"].mentions == 18  # rated, but in no period
    assert [
        (period_rating.period, period_rating.mentions) for period_rating in ratings.ratings["A", "food"].periods
    ] == [("2025-01", 9)]


def test_quotes_are_the_most_confident_sentences_of_distinct_reviews() -> None:
    texts = ["good food here and there", "Good food.", "good food here and there", "GOOD FOOD here and there"]
    texts += [
        "good food everywhere, we love it. good food all over the place, we love it very much.",
        "bad food today again",
    ]
    food_rating = _rate_food(build_reviews({"A": texts}))
    assert [(quote.text, quote.location) for quote in food_rating.praise] == [
        ("good food all over the place, we love it very much.", "line 6"),
        ("good food here and there", "line 2"),
        ("Good food.", "line 3"),  # far shorter than the others, so it comes last
    ]
    assert [quote.text for quote in food_rating.complaints] == ["bad food today again"]
    assert MIN_QUOTE_WORDS == 4
    assert _rate_food(build_reviews({"A": texts}), Settings(min_mentions=1, quotes=0)).praise == ()


@given(
    st.lists(st.sampled_from(["good food", "bad food!", "so-so service", "mixed food. good service", ""]), max_size=40)
)
@settings(max_examples=60, deadline=None)
def test_shares_add_up_and_ratings_are_stars(texts: list[str]) -> None:
    ratings = rate_reviews_by_keywords(build_reviews({"A": texts[::2], "B": texts[1::2]}), Settings(min_mentions=2))
    assert sum(ratings.products.values()) == len(texts)
    for row in ratings.rows:
        assert row.positive + row.neutral + row.negative == pytest.approx(1.0 if row.mentions else 0.0)
        assert (row.rating is None) == (row.mentions < 2)
        if row.rating is not None:
            assert 1 <= row.rating.low <= row.rating.value <= row.rating.high <= 5


class InterruptedJobError(Exception):
    pass


@given(st.lists(st.integers(0, 4 * CHUNK_SIZE), max_size=3))
@settings(max_examples=6, deadline=None)
def test_interrupted_aggregation_resumes_to_the_same_sums(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    words = ["good food", "bad food, truly bad", "mixed service", "so-so food. good service indeed", "a bus"]
    reviews = [
        Review(words[n * n % 5], f"P{n % 7}", f"2025-0{1 + n % 9}", "", f"line {n}") for n in range(3 * CHUNK_SIZE + 5)
    ]
    path = tmp_path_factory.mktemp("state") / "sums"
    job = {"input": "abc"}
    for cut in cuts:

        def stream(end: int = cut) -> Iterator[Review]:
            yield from reviews[:end]
            if end < len(reviews):
                raise InterruptedJobError

        resumable_state = ResumableState(path, job, min_reviews=1)
        with contextlib.suppress(InterruptedJobError):
            aggregate_reviews(stream(), predict_texts, ASPECTS, resumable_state.load() or Sums(), resumable_state)
    resumable_state = ResumableState(path, job, min_reviews=1)
    assert aggregate_reviews(
        reviews, predict_texts, ASPECTS, resumable_state.load() or Sums(), resumable_state
    ) == aggregate_reviews(reviews, predict_texts, ASPECTS, Sums())


def test_sums_of_another_job_or_damaged_sums_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "sums"
    resumable_state = ResumableState(path, {"input": "abc"}, min_reviews=1)
    assert resumable_state.load() is None
    sums = aggregate_reviews(build_reviews({"A": ["good food"] * 3}), predict_texts, ASPECTS, Sums(), resumable_state)
    assert ResumableState(path, {"input": "abc"}).load() == sums
    assert ResumableState(path, {"input": "abd"}).load() is None
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert ResumableState(path, {"input": "abc"}).load() is None
    resumable_state.remove()
    assert not path.exists()
