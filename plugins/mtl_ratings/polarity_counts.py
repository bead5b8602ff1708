"""Counts of polarities: aggregated opinions in constant memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mtl_ratings.confidence_intervals import Sample
from mtl_ratings.opinions import Shares


@dataclass
class PolarityCounts:
    """Number of reviews that mention an aspect, the sum of each polarity, and the sum of squared scores."""

    reviews: int = 0
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    conflict: float = 0.0
    sum_of_squares: float = 0.0

    def add(self, shares: Shares) -> None:
        """Add one review."""
        self.reviews += 1
        self.positive += shares.positive
        self.negative += shares.negative
        self.neutral += shares.neutral
        self.conflict += shares.conflict
        self.sum_of_squares += shares.score**2

    @property
    def score(self) -> float:
        """The sum of the scores, from 0 to `reviews`; see `Shares.score`."""
        return self.positive + (self.neutral + self.conflict) / 2

    @property
    def sample(self) -> Sample:
        """The sample of the reviews' scores."""
        return Sample(self.reviews, self.score, self.sum_of_squares)


def sum_counts(counts: Iterable[PolarityCounts]) -> PolarityCounts:
    """Return the sum of counts."""
    total = PolarityCounts()
    for one in counts:
        total.reviews += one.reviews
        total.positive += one.positive
        total.negative += one.negative
        total.neutral += one.neutral
        total.conflict += one.conflict
        total.sum_of_squares += one.sum_of_squares
    return total
