"""Ratings as JSON, with all details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_ratings.provenance import Provenance
from mtl_ratings.quotes import Quote
from mtl_ratings.ratings import Change, Estimate, Rating, Ratings


def build_ratings_record(ratings: Ratings, provenance: Provenance) -> dict[str, Any]:
    """Convert ratings to JSON; numbers have four decimals."""
    scan, columns, settings = provenance.scan, provenance.columns, ratings.settings
    return {
        "disclaimer": provenance.disclaimer,
        "file": provenance.file,
        "experiment": provenance.experiment,
        "columns": {"text": columns.text, "by": columns.by, "date": columns.date},
        "settings": {
            "min_mentions": settings.min_mentions,
            "prior_reviews": settings.prior_reviews,
            "period": columns.period if columns.date else None,
        },
        "reviews": ratings.reviews,
        "empty_reviews": scan.n_empty,
        "undated_reviews": scan.n_undated,
        "bad_rows": scan.n_bad,
        "earlier": list(ratings.earlier),
        "later": list(ratings.later),
        "aspects": [
            {"aspect": one.aspect, "mentions": one.mentions, "mean": _round(one.mean)} for one in ratings.aspects
        ],
        "products": [
            {
                "product": product,
                "reviews": reviews,
                "aspects": {
                    one.aspect: _build_rating_record(ratings.ratings[product, one.aspect]) for one in ratings.aspects
                },
            }
            for product, reviews in ratings.products.items()
        ],
    }


def _build_rating_record(rating: Rating) -> dict[str, Any]:
    shares = {
        "positive": rating.positive,
        "neutral": rating.neutral,
        "negative": rating.negative,
        "conflict": rating.conflict,
    }
    return {
        "mentions": rating.mentions,
        "shares": {name: _round(share) for name, share in shares.items()} if rating.mentions else None,
        **_build_estimate_record(rating.rating, "rating"),
        "change": _build_change_record(rating.change),
        "periods": [
            {
                "period": period_mean.period,
                "mentions": period_mean.mentions,
                **_build_estimate_record(period_mean.mean, "mean"),
            }
            for period_mean in rating.periods
        ],
        "praise": _build_quote_records(rating.praise),
        "complaints": _build_quote_records(rating.complaints),
    }


def _build_estimate_record(estimate: Estimate | None, name: str) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, "low": None, "high": None}
    return {name: _round(estimate.value), "low": _round(estimate.low), "high": _round(estimate.high)}


def _build_change_record(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "difference": _round(change.difference),
        "low": _round(change.low),
        "high": _round(change.high),
        "clear": change.is_clear,
    }


def _build_quote_records(quotes: Sequence[Quote]) -> list[dict[str, Any]]:
    return [{"text": quote.text, "location": quote.location, "confidence": quote.confidence} for quote in quotes]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
