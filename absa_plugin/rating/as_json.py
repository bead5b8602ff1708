"""Ratings as JSON, with all details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absa_plugin.rating.origin import Origin
from absa_plugin.rating.ratings import Change, Rating, Ratings, Span
from absa_plugin.rating.sums import Quote


def ratings_record(ratings: Ratings, origin: Origin) -> dict[str, Any]:
    """Convert ratings to JSON; numbers have four decimals."""
    survey, columns, settings = origin.survey, origin.columns, ratings.settings
    return {
        "notice": origin.notice,
        "file": origin.file,
        "experiment": origin.experiment,
        "columns": {"text": columns.text, "by": columns.by, "date": columns.date},
        "settings": {
            "min_mentions": settings.min_mentions,
            "prior_reviews": settings.prior_reviews,
            "period": columns.period if columns.date else None,
        },
        "reviews": ratings.reviews,
        "empty_reviews": survey.empty,
        "undated_reviews": survey.undated,
        "bad_rows": survey.bad,
        "earlier": list(ratings.earlier),
        "later": list(ratings.later),
        "aspects": [
            {"aspect": one.aspect, "mentions": one.mentions, "mean": _rounded(one.mean)} for one in ratings.aspects
        ],
        "products": [
            {
                "product": product,
                "reviews": reviews,
                "aspects": {one.aspect: _rating(ratings.ratings[product, one.aspect]) for one in ratings.aspects},
            }
            for product, reviews in ratings.products.items()
        ],
    }


def _rating(one: Rating) -> dict[str, Any]:
    shares = {"positive": one.positive, "neutral": one.neutral, "negative": one.negative, "conflict": one.conflict}
    return {
        "mentions": one.mentions,
        "shares": {name: _rounded(share) for name, share in shares.items()} if one.mentions else None,
        **_span(one.rating, "rating"),
        "change": _change(one.change),
        "periods": [
            {"period": found.period, "mentions": found.mentions, **_span(found.mean, "mean")}
            for found in one.periods
        ],
        "praise": _quotes(one.praise),
        "complaints": _quotes(one.complaints),
    }


def _span(span: Span | None, name: str) -> dict[str, float | None]:
    if span is None:
        return {name: None, "low": None, "high": None}
    return {name: _rounded(span.value), "low": _rounded(span.low), "high": _rounded(span.high)}


def _change(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "difference": _rounded(change.difference),
        "low": _rounded(change.low),
        "high": _rounded(change.high),
        "clear": change.clear,
    }


def _quotes(quotes: Sequence[Quote]) -> list[dict[str, Any]]:
    return [{"text": quote.text, "where": quote.where, "sure": quote.sure} for quote in quotes]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
