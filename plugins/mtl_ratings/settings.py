"""The settings of a rating job."""

from dataclasses import dataclass
from typing import Literal

Period = Literal["month", "quarter", "year"]


@dataclass(frozen=True)
class Columns:
    """The names and formats of the columns of a file of reviews.

    Attributes:
        text: The column with the review texts.
        by: The column with the product names; None rates all reviews together.
        date: The column with the dates; None for no changes over time.
        date_format: The format of dates, for `strptime`; None is ISO 8601.
        period: The period to which dates are truncated.
    """

    text: str
    by: str | None = None
    date: str | None = None
    date_format: str | None = None
    period: Period = "month"

    @property
    def names(self) -> list[str]:
        """The distinct column names."""
        return list(dict.fromkeys(name for name in (self.text, self.by, self.date) if name is not None))


@dataclass(frozen=True)
class Settings:
    """How ratings are computed from the sums.

    Attributes:
        min_mentions: Minimum number of reviews that mention an aspect; with fewer, it has no rating.
        prior_reviews: Weight of the mean of all products in each product's rating, in reviews.
        quotes: Number of quotes for and against each rating.
    """

    min_mentions: int = 5
    prior_reviews: float = 10.0
    quotes: int = 3
