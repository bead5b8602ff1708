"""Ratings: one vote per review, the prior, confidence intervals, changes over time, quotes."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from math import comb
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_answers import ASPECTS, ask, rated, reviews_of, task_answer

from absa_plugin.rating.intervals import Sample, difference, interval
from absa_plugin.rating.kept import KeptSums
from absa_plugin.rating.opinions import CHUNK, opinions
from absa_plugin.rating.rate import add_up
from absa_plugin.rating.ratings import Rating
from absa_plugin.rating.reviews import Review
from absa_plugin.rating.settings import Settings
from absa_plugin.rating.sums import FEWEST_WORDS, Sums
from mtl_core.runs.answers import Answer

PLAIN = Settings(min_mentions=1, prior_reviews=0)


def _food(reviews: list[Review], settings: Settings = PLAIN, product: str = "A") -> Rating:
    return rated(reviews, settings).ratings[product, "food"]


def test_a_review_has_one_vote_however_long_it_is() -> None:
    long = " ".join(["good food."] * 40)
    found = _food(reviews_of({"A": [long, "bad food"]}))
    assert (found.mentions, found.positive, found.negative) == (2, 0.5, 0.5)
    assert found.rating is not None
    assert found.rating.value == 3.0


@pytest.mark.parametrize(("word", "stars"), [("good", 5.0), ("bad", 1.0), ("so-so", 3.0), ("mixed", 3.0)])
def test_polarities_are_worth_stars(word: str, stars: float) -> None:
    found = _food(reviews_of({"A": [f"{word} food"] * 3}))
    assert found.rating is not None
    assert found.rating.value == stars


def test_a_conflict_is_half_positive_half_negative_and_not_neutral() -> None:
    found = _food(reviews_of({"A": ["mixed food", "good food", "so-so food", "mixed food"]}))
    assert (found.positive, found.neutral, found.negative, found.conflict) == (0.5, 0.25, 0.25, 0.5)


def test_what_nobody_mentions_is_not_rated() -> None:
    found = rated(reviews_of({"A": ["good food", "", "😍", "we came by bus"]}), PLAIN)
    assert found.reviews == found.products["A"] == 4
    assert found.ratings["A", "food"].mentions == 1
    assert found.ratings["A", "service"] == Rating("A", "service", 0)
    assert found.aspects[1].mean is None


def test_sentences_count_by_how_surely_they_mention_the_aspect() -> None:
    sentences = [
        Answer("1", "a", {"food": task_answer(0.9, positive=1.0)}),
        Answer("2", "b", {"food": task_answer(0.6, negative=0.5, neutral=0.5)}),
        Answer("3", "c", {"food": task_answer(0.4, negative=1.0)}),  # below the threshold: ignored
    ]
    shares = opinions(sentences, ["food"])["food"].shares
    assert shares.positive == pytest.approx(0.9 / 1.5)
    assert shares.negative == shares.neutral == pytest.approx(0.3 / 1.5)


def test_few_mentions_are_insufficient_evidence() -> None:
    few = rated(reviews_of({"A": ["good food"] * 4, "B": ["bad food"] * 5}), Settings(min_mentions=5))
    assert few.ratings["A", "food"].rating is None
    assert few.ratings["A", "food"].mentions == 4
    assert few.ratings["B", "food"].rating is not None


def test_the_prior_counts_as_further_reviews_with_the_mean_of_all() -> None:
    reviews = reviews_of({"A": ["good food"] * 6, "B": ["bad food"] * 14})
    found = rated(reviews, Settings(min_mentions=1, prior_reviews=10)).ratings["A", "food"]
    assert found.rating is not None
    assert found.rating.value == pytest.approx(1 + 4 * (6 + 10 * 0.3) / (6 + 10))  # the overall mean is 6 of 20
    assert found.rating.low <= found.rating.value <= found.rating.high
    more = rated(reviews, Settings(min_mentions=1, prior_reviews=1000)).ratings["A", "food"].rating
    assert more is not None
    assert more.value == pytest.approx(1 + 4 * 0.3, abs=0.05)
    assert more.low <= more.value  # widened: without the prior, the interval of six good reviews starts far above


def test_a_single_product_is_not_pulled_anywhere() -> None:
    reviews = reviews_of({"A": ["good food"] * 3 + ["bad food"]})
    found = rated(reviews, Settings(min_mentions=1, prior_reviews=10)).ratings["A", "food"]
    assert found.rating is not None
    assert found.rating.value == pytest.approx(4.0)


def _sample(values: Sequence[float]) -> Sample:
    return Sample(len(values), sum(values), sum(value**2 for value in values))


def _yes(good: int, n: int) -> Sample:
    return Sample(n, good, good)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
@settings(max_examples=100)
def test_intervals_lie_around_the_mean_and_shrink_with_more_of_the_same(values: list[float]) -> None:
    low, high = interval(_sample(values))
    assert 0 <= low <= sum(values) / len(values) + 1e-9
    assert sum(values) / len(values) - 1e-9 <= high <= 1
    narrower = interval(_sample(values * 2))
    assert narrower[1] - narrower[0] <= high - low + 1e-9
    alike = [value / 100 + 0.985 for value in values] * 10
    assert interval(_sample(alike))[1] >= sum(alike) / len(alike)
    agresti_coull = interval(Sample(len(values), sum(values), sum(values)))
    assert high - low <= agresti_coull[1] - agresti_coull[0] + 1e-9


def _coverage(n: int, truth: float) -> float:
    """Compute the exact coverage of the interval of `n` reviews, each positive with probability `truth`."""
    return sum(
        comb(n, good) * truth**good * (1 - truth) ** (n - good)
        for good in range(n + 1)
        if interval(_yes(good, n))[0] <= truth <= interval(_yes(good, n))[1]
    )


@pytest.mark.parametrize("n", [5, 6, 8, 10, 15, 20, 40, 100])
def test_intervals_hold_what_they_promise_also_for_few_mentions(n: int) -> None:
    """The usual "± 1.96 standard errors" covers far less than 95 %: 64 % on average for 5 mentions."""
    found = [_coverage(n, truth / 200) for truth in range(1, 200)]
    assert sum(found) / len(found) > 0.95
    assert min(found) > (0.89 if n < 8 else 0.92)


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize("weights", [(6, 1, 1), (1, 1, 3), (9, 1, 0), (1, 4, 1), (30, 0, 1)])
def test_intervals_hold_for_opinions_between_good_and_bad(n: int, weights: tuple[int, int, int]) -> None:
    """Opinions are probabilities, not binary values."""
    draw, values = random.Random(n), (0.95, 0.5, 0.05)
    truth = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    spans = [interval(_sample(draw.choices(values, weights, k=n))) for _ in range(600)]
    assert sum(low <= truth <= high for low, high in spans) / 600 > 0.925
    if n == 100 and weights == (1, 4, 1):  # nearly all in between: far narrower than for binary values
        assert max(high - low for low, high in spans) < 0.75 * (
            interval(_yes(50, 100))[1] - interval(_yes(50, 100))[0]
        )


@pytest.mark.parametrize(("earlier", "later", "n"), [(0.5, 0.5, 5), (0.9, 0.9, 8), (0.8, 0.3, 10), (0.7, 0.6, 40)])
def test_differences_hold_what_they_promise(earlier: float, later: float, n: int) -> None:
    draw, held = random.Random(2), 0
    for _ in range(800):
        before = sum(draw.random() < earlier for _ in range(n))
        after = sum(draw.random() < later for _ in range(n))
        _, low, high = difference(_yes(after, n), _yes(before, n))
        held += low <= later - earlier <= high
    assert held / 800 > 0.93


def _dated(parts: dict[str, list[str]]) -> list[Review]:
    return [Review(text, "A", period) for period, texts in parts.items() for text in texts]


def test_a_change_compares_the_later_half_of_the_periods_with_the_earlier() -> None:
    good, bad = ["good food"] * 8, ["bad food"] * 8
    found = rated(_dated({"2025-01": good, "2025-02": good, "2025-03": bad, "2025-04": bad}), PLAIN)
    assert (found.earlier, found.later) == (["2025-01", "2025-02"], ["2025-03", "2025-04"])
    one = found.ratings["A", "food"]
    assert one.change is not None
    assert one.change.difference == -4.0
    assert one.change.clear
    assert [(part.period, part.mentions, part.mean and part.mean.value) for part in one.periods] == [
        ("2025-01", 8, 5.0),
        ("2025-02", 8, 5.0),
        ("2025-03", 8, 1.0),
        ("2025-04", 8, 1.0),
    ]


def test_no_change_is_claimed_without_evidence() -> None:
    steady = ["good food", "bad food"] * 5
    change = _food(_dated({"2025-01": steady, "2025-02": [*steady, "bad food"]}), Settings()).change
    assert change is not None
    assert not change.clear
    assert _food(_dated({"2025-01": ["good food"] * 9, "2025-02": ["bad food"] * 4}), Settings()).change is None
    assert _food(_dated({"2025-01": ["good food"] * 9}), Settings()).change is None
    undated = [Review("bad food", "A", None)] * 9
    found = rated(_dated({"2025-01": ["good food"] * 9}) + undated, Settings())
    assert found.ratings["A", "food"].mentions == 18  # rated, but in no period
    assert [(one.period, one.mentions) for one in found.ratings["A", "food"].periods] == [("2025-01", 9)]


def test_quotes_are_the_surest_sentences_of_distinct_reviews_and_texts() -> None:
    texts = ["good food here and there", "Good food.", "good food here and there", "GOOD FOOD here and there"]
    texts += [
        "good food everywhere, we love it. good food all over the place, we love it very much.",
        "bad food today again",
    ]
    found = _food(reviews_of({"A": texts}))
    assert [(quote.text, quote.where) for quote in found.praise] == [
        ("good food all over the place, we love it very much.", "line 6"),
        ("good food here and there", "line 2"),
        ("Good food.", "line 3"),  # far shorter than the others, so it comes last
    ]
    assert [quote.text for quote in found.complaints] == ["bad food today again"]
    assert FEWEST_WORDS == 4
    assert _food(reviews_of({"A": texts}), Settings(min_mentions=1, quotes=0)).praise == ()


@given(
    st.lists(
        st.sampled_from(["good food", "bad food!", "so-so service", "mixed food. good service", ""]), max_size=40
    )
)
@settings(max_examples=60, deadline=None)
def test_shares_add_up_and_ratings_are_stars(texts: list[str]) -> None:
    found = rated(reviews_of({"A": texts[::2], "B": texts[1::2]}), Settings(min_mentions=2))
    assert sum(found.products.values()) == len(texts)
    for one in found.rows:
        assert one.positive + one.neutral + one.negative == pytest.approx(1.0 if one.mentions else 0.0)
        assert (one.rating is None) == (one.mentions < 2)
        if one.rating is not None:
            assert 1 <= one.rating.low <= one.rating.value <= one.rating.high <= 5


class PowerCutError(Exception):
    pass


@given(st.lists(st.integers(0, 4 * CHUNK), max_size=3))
@settings(max_examples=6, deadline=None)
def test_cut_off_anywhere_it_goes_on_to_the_same_sums(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    words = ["good food", "bad food, truly bad", "mixed service", "so-so food. good service indeed", "a bus"]
    reviews = [
        Review(words[n * n % 5], f"P{n % 7}", f"2025-0{1 + n % 9}", "", f"line {n}") for n in range(3 * CHUNK + 5)
    ]
    path = tmp_path_factory.mktemp("kept") / "sums"
    job = {"input": "abc"}
    for cut in cuts:

        def stream(end: int = cut) -> Iterator[Review]:
            yield from reviews[:end]
            if end < len(reviews):
                raise PowerCutError

        kept = KeptSums(path, job, every=1)
        with contextlib.suppress(PowerCutError):
            add_up(stream(), ask, ASPECTS, kept.load() or Sums(), kept)
    kept = KeptSums(path, job, every=1)
    assert add_up(reviews, ask, ASPECTS, kept.load() or Sums(), kept) == add_up(reviews, ask, ASPECTS, Sums())


def test_sums_of_another_job_or_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "sums"
    kept = KeptSums(path, {"input": "abc"}, every=1)
    assert kept.load() is None
    sums = add_up(reviews_of({"A": ["good food"] * 3}), ask, ASPECTS, Sums(), kept)
    assert KeptSums(path, {"input": "abc"}).load() == sums
    assert KeptSums(path, {"input": "abd"}).load() is None
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert KeptSums(path, {"input": "abc"}).load() is None
    kept.remove()
    assert not path.exists()
