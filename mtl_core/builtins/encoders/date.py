"""The encoder of a column of dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from mtl_core.errors import find_duplicates
from mtl_core.plugins.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.date import DateEncoder

DateFeature = Literal["time", "month", "day", "weekday", "hour"]


class Date(EncoderSpec):
    """One date, or date and time, per example: the position in time, and the positions in year, month, week and day.

    `time` is one number: years, standardised with the statistics of the training examples. The others are cyclic and
    have two numbers each, the sine and cosine of the month of 12, the day of 31, the weekday of 7 and the hour of 24
    (minutes as fractions; 0 for dates without a time). If a training example has no date, missing dates have learned
    values, and a last feature is 1 where the date is missing (otherwise 0); else a missing date has zeros. UTC offsets
    are ignored: local times count.
    """

    type: Literal["date"] = "date"
    features: Annotated[list[DateFeature], Field(min_length=1)] = ["time", "month", "day", "weekday", "hour"]
    """The features, in this order."""

    @field_validator("features")
    @classmethod
    def _validate_features(cls, features: list[DateFeature]) -> list[DateFeature]:
        if duplicates := find_duplicates(features):
            raise ValueError(f"'{duplicates[0]}' is listed twice")
        return features

    def build(self) -> DateEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.date import DateEncoder

        return DateEncoder(self.features)
