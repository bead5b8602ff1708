"""What somebody who rates decides."""

from dataclasses import dataclass
from typing import Literal

Period = Literal["month", "quarter", "year"]


@dataclass(frozen=True)
class Columns:
    """Where things stand in a file of reviews.

    Attributes:
        text: The column of reviews.
        by: The column that says what is reviewed; None rates all reviews together.
        date: The column that says when.
        date_format: How dates are written, for `strptime`; None takes ISO 8601.
        period: What a date is cut to.
    """

    text: str
    by: str | None = None
    date: str | None = None
    date_format: str | None = None
    period: Period = "month"

    @property
    def names(self) -> list[str]:
        """The columns, each once."""
        return list(dict.fromkeys(name for name in (self.text, self.by, self.date) if name is not None))


@dataclass(frozen=True)
class Settings:
    """How sums become ratings.

    Attributes:
        min_mentions: With fewer reviews that mention an aspect there is no rating.
        prior_reviews: So many reviews the mean of all products counts in each product's rating.
        quotes: Sentences quoted for and against.
    """

    min_mentions: int = 5
    prior_reviews: float = 10.0
    quotes: int = 3
