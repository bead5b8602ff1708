"""Pydantic field types of numbers in an interval."""

from typing import Annotated

from pydantic import Field

Probability = Annotated[float, Field(ge=0, lt=1)]
"""A probability or decay rate, at least 0 and below 1."""
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share of a whole, at least 0 and at most 1."""
