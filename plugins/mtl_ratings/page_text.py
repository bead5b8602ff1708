"""The sentences of the page of ratings."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_core.reporting import format_count, format_percent, join_with_and, pluralize
from mtl_ratings.formatting import compare_to_mean, format_change, format_periods, format_stars
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Rating, Ratings


def format_headline(ratings: Ratings, provenance: Provenance) -> str:
    """Return the headline: the number of reviews, and the aspect that most reviews mention."""
    subject = f"{pluralize(ratings.reviews, 'review')}, rated by aspect" + (
        f" and {provenance.columns.by}" if provenance.columns.by else ""
    )
    mentioned_aspects = [one for one in ratings.aspects if one.mentions]
    if not mentioned_aspects:
        return f"{subject}: none mentions any of the aspects."
    top_aspect = max(mentioned_aspects, key=lambda one: one.mentions)
    return (
        f"{subject}: {format_percent(top_aspect.mentions / ratings.reviews)} mention {top_aspect.aspect}, "
        f"with a mean of {format_stars(top_aspect.mean)} of 5."
    )


def list_facts(ratings: Ratings, provenance: Provenance) -> list[tuple[str, str]]:
    """Return the names and values at the top of the page."""
    entries = [("reviews", format_count(ratings.reviews)), ("aspects", format_count(len(ratings.aspects)))]
    if provenance.columns.by:
        entries.append((provenance.columns.by, format_count(len(ratings.products))))
    if ratings.later:
        entries.append((f"{provenance.columns.period}s", format_periods([*ratings.earlier, *ratings.later])))
    scan = provenance.scan
    for name, number in (
        ("empty", scan.n_empty),
        ("without a date", scan.n_undated),
        ("rows left out", scan.n_bad),
    ):
        if number:
            entries.append((name, format_count(number)))
    return [*entries, ("network", provenance.experiment)]


def summarize_ratings(ratings: Ratings, provenance: Provenance) -> list[str]:
    """Return the main results."""
    sentences = [*_describe_outliers(ratings), *_describe_changes(ratings), *_describe_missing(ratings)]
    return sentences or [f"No {provenance.noun} differs clearly from the others in any aspect."]


def _describe_outliers(ratings: Ratings) -> Iterator[str]:
    if len(ratings.products) < 2:
        for one in ratings.rows:
            if one.rating is not None:
                yield (
                    f"{one.aspect}: {format_stars(one.rating.value)} of 5, mentioned by "
                    f"{pluralize(one.mentions, 'review')}, of which {format_percent(one.positive)} are positive "
                    f"and {format_percent(one.negative)} negative."
                )
        return
    for aspect in ratings.aspects:
        aspect_ratings = [ratings.ratings[product, aspect.aspect] for product in ratings.products]
        above_mean = [one for one in aspect_ratings if compare_to_mean(one, aspect.mean) > 0]
        below_mean = [one for one in aspect_ratings if compare_to_mean(one, aspect.mean) < 0]
        phrases = [
            f"{side} {_format_products(side_ratings)}"
            for side, side_ratings in (
                ("clearly better than the mean:", above_mean),
                ("clearly worse:", below_mean),
            )
            if side_ratings
        ]
        if phrases:
            yield f"{aspect.aspect} ({format_stars(aspect.mean)} on average): {'; '.join(phrases)}."


def _format_products(ratings: list[Rating]) -> str:
    ranked = sorted(ratings, key=lambda one: -abs((one.rating.value if one.rating else 3) - 3))
    return join_with_and(
        [f"{one.product} ({format_stars(one.rating.value)})" for one in ranked if one.rating is not None], 4
    )


def _describe_changes(ratings: Ratings) -> Iterator[str]:
    if not ratings.later:
        return
    compared_ratings = [one for one in ratings.rows if one.change is not None]
    clear_changes = [one for one in compared_ratings if one.change is not None and one.change.is_clear]
    periods_text = f"{format_periods(ratings.later)} against {format_periods(ratings.earlier)}"
    if not compared_ratings:
        return
    if not clear_changes:
        yield f"No clear change over time, {periods_text}."
        return
    ranked = sorted(clear_changes, key=lambda one: -abs(one.change.difference if one.change else 0))
    change_texts = [
        f"{one.product}, {one.aspect}: {format_change(one.change)}" for one in ranked[:6] if one.change is not None
    ]
    if len(clear_changes) > 6:
        change_texts.append(f"and {len(clear_changes) - 6} more")
    yield f"Clear changes in stars, {periods_text}: {'; '.join(change_texts)}. All others: no clear change."


def _describe_missing(ratings: Ratings) -> Iterator[str]:
    n_missing = sum(one.rating is None for one in ratings.rows)
    if n_missing:
        yield (
            f"Insufficient evidence for {n_missing} of {pluralize(len(ratings.rows), 'rating')}: fewer than "
            f"{pluralize(ratings.settings.min_mentions, 'review')} mention the aspect."
        )


def describe_method(ratings: Ratings) -> list[str]:
    """Return how ratings are computed, and their limitations."""
    settings = ratings.settings
    shrinkage = (
        f"It is shrunk towards the mean of all, which counts as {settings.prior_reviews:g} additional reviews (a "
        "Bayesian average), so that a few enthusiastic reviews do not make a product the best."
        if settings.prior_reviews and len(ratings.products) > 1
        else "It is not shrunk towards a mean."
    )
    paragraphs = [
        "The network classifies each sentence of a review. Sentences that mention an aspect are averaged within "
        "the review, weighted by the probability of the mention, so that each review counts once.",
        "A rating is `1 + 4 * (positive + neutral / 2)`, with the shares of probability over all reviews that "
        f"mention the aspect; a review in conflict counts half as positive, half as negative. {shrinkage}",
        "95 % intervals are those of Agresti and Coull (1998) for the reviews of the product only, narrowed as far "
        "as graded opinions have a smaller variance than zeros and ones. They show how far more such reviews "
        "could move a rating. They do not include the errors of the network or the opinions of customers who "
        "write no reviews.",
    ]
    if len(ratings.products) > 1:
        paragraphs.append(
            f"With {pluralize(len(ratings.rows), 'rating')} on a page, about one in twenty differs clearly from "
            "the mean by chance; the same is true for changes."
        )
    if ratings.later:
        paragraphs.append(
            "A change compares the means of the later and the earlier half of the periods; its interval combines "
            "those of both (Newcombe, 1998)."
        )
    return paragraphs


def format_closing(provenance: Provenance) -> str:
    """Return the closing line: the source of the quotes."""
    return f"Quotes are customers' words, from {provenance.file}. Made by `mtl absa rate`."
