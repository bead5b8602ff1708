"""The sentences of the page of ratings."""

from __future__ import annotations

from collections.abc import Iterator

from absa_plugin.rating.origin import Origin
from absa_plugin.rating.ratings import Rating, Ratings
from absa_plugin.rating.shown import moved, periods, stands_out, stars
from mtl_core.report.wording import count, counted, enumerated, percent


def headline(ratings: Ratings, origin: Origin) -> str:
    """Return the headline: the number of reviews, and the aspect that most reviews mention."""
    what = f"{counted(ratings.reviews, 'review')}, rated by aspect" + (
        f" and {origin.columns.by}" if origin.columns.by else ""
    )
    spoken_of = [one for one in ratings.aspects if one.mentions]
    if not spoken_of:
        return f"{what}: none mentions any of the aspects."
    most = max(spoken_of, key=lambda one: one.mentions)
    return (
        f"{what}: {percent(most.mentions / ratings.reviews)} mention {most.aspect}, with a mean of "
        f"{stars(most.mean)} of 5."
    )


def facts(ratings: Ratings, origin: Origin) -> list[tuple[str, str]]:
    """Return the names and values at the top of the page."""
    found = [("reviews", count(ratings.reviews)), ("aspects", count(len(ratings.aspects)))]
    if origin.columns.by:
        found.append((origin.columns.by, count(len(ratings.products))))
    if ratings.later:
        found.append((f"{origin.columns.period}s", periods([*ratings.earlier, *ratings.later])))
    survey = origin.survey
    for name, number in (
        ("empty", survey.empty),
        ("without a date", survey.undated),
        ("rows left out", survey.bad),
    ):
        if number:
            found.append((name, count(number)))
    return [*found, ("network", origin.experiment)]


def in_short(ratings: Ratings, origin: Origin) -> list[str]:
    """Return the main results."""
    said = [*_standing_out(ratings), *_changed(ratings), *_insufficient(ratings)]
    return said or [f"No {origin.noun} differs clearly from the others in any aspect."]


def _standing_out(ratings: Ratings) -> Iterator[str]:
    if len(ratings.products) < 2:
        for one in ratings.rows:
            if one.rating is not None:
                yield (
                    f"{one.aspect}: {stars(one.rating.value)} of 5, mentioned by "
                    f"{counted(one.mentions, 'review')}, of which {percent(one.positive)} are positive and "
                    f"{percent(one.negative)} negative."
                )
        return
    for aspect in ratings.aspects:
        found = [ratings.ratings[product, aspect.aspect] for product in ratings.products]
        above = [one for one in found if stands_out(one, aspect.mean) > 0]
        below = [one for one in found if stands_out(one, aspect.mean) < 0]
        said = [
            f"{side} {_named(ones)}"
            for side, ones in (("clearly better than the mean:", above), ("clearly worse:", below))
            if ones
        ]
        if said:
            yield f"{aspect.aspect} ({stars(aspect.mean)} on average): {'; '.join(said)}."


def _named(found: list[Rating]) -> str:
    ranked = sorted(found, key=lambda one: -abs((one.rating.value if one.rating else 3) - 3))
    return enumerated([f"{one.product} ({stars(one.rating.value)})" for one in ranked if one.rating is not None], 4)


def _changed(ratings: Ratings) -> Iterator[str]:
    if not ratings.later:
        return
    compared = [one for one in ratings.rows if one.change is not None]
    clear = [one for one in compared if one.change is not None and one.change.clear]
    when = f"{periods(ratings.later)} against {periods(ratings.earlier)}"
    if not compared:
        return
    if not clear:
        yield f"No clear change over time, {when}."
        return
    ranked = sorted(clear, key=lambda one: -abs(one.change.difference if one.change else 0))
    said = [f"{one.product}, {one.aspect}: {moved(one.change)}" for one in ranked[:6] if one.change is not None]
    more = f"; and {len(clear) - 6} more" if len(clear) > 6 else ""
    yield f"Clear changes in stars, {when}: {'; '.join(said)}{more}. All others: no clear change."


def _insufficient(ratings: Ratings) -> Iterator[str]:
    few = sum(one.rating is None for one in ratings.rows)
    if few:
        yield (
            f"Insufficient evidence for {few} of {counted(len(ratings.rows), 'rating')}: fewer than "
            f"{counted(ratings.settings.min_mentions, 'review')} mention the aspect."
        )


def method(ratings: Ratings) -> list[str]:
    """Return how ratings are computed, and their limitations."""
    settings = ratings.settings
    pulled = (
        f"It is shrunk towards the mean of all, which counts as {settings.prior_reviews:g} additional reviews (a "
        "Bayesian average), so that a few enthusiastic reviews do not make a product the best."
        if settings.prior_reviews and len(ratings.products) > 1
        else "It is not shrunk towards a mean."
    )
    said = [
        "The network classifies each sentence of a review. Sentences that mention an aspect are averaged within "
        "the review, weighted by the probability of the mention, so that each review counts once.",
        "A rating is `1 + 4 * (positive + neutral / 2)`, with the shares of probability over all reviews that "
        f"mention the aspect; a review in conflict counts half as positive, half as negative. {pulled}",
        "95 % intervals are those of Agresti and Coull (1998) for the reviews of the product only, narrowed as far "
        "as graded opinions have a smaller variance than zeros and ones. They show how far more such reviews "
        "could move a rating. They do not include the errors of the network or the opinions of customers who "
        "write no reviews.",
    ]
    if len(ratings.products) > 1:
        said.append(
            f"With {counted(len(ratings.rows), 'rating')} on a page, about one in twenty differs clearly from the "
            "mean by chance; the same is true for changes."
        )
    if ratings.later:
        said.append(
            "A change compares the means of the later and the earlier half of the periods; its interval combines "
            "those of both (Newcombe, 1998)."
        )
    return said


def closing(origin: Origin) -> str:
    """Return the closing line: the source of the quotes."""
    return f"Quotes are customers' words, from {origin.file}. Made by `mtl absa rate`."
