"""The encoder of a column of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.number import NumberEncoder


class Number(EncoderSpec):
    """One number per example, standardised with the statistics of the training examples.

    If a training example has no number, there are two features: the number, or a learned value where it is missing,
    and 1 where it is missing (otherwise 0). Otherwise there is one feature, and a missing number is the mean
    (0 without `standardise`).
    """

    type: Literal["number"] = "number"
    standardise: bool = True
    """Standardise to mean 0 and standard deviation 1."""

    def build(self) -> NumberEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.number import NumberEncoder

        return NumberEncoder(self.standardise)
