"""How classes of one task are weighed against each other."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import NonNegativeFloat

from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.specs import ClassWeightsSpec


class Unweighted(ClassWeightsSpec):
    """Every label counts alike."""

    type: Literal["none"] = "none"

    def weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """All ones."""
        return [1.0] * len(counts)


class Balanced(ClassWeightsSpec):
    """Rare classes count more: `(labels / (classes · count)) ** power`, scikit-learn's rule at power 1."""

    type: Literal["balanced"] = "balanced"
    power: NonNegativeFloat = 1.0
    """1 lets every class count alike in sum, 0 is no weighting, 0.5 lies between."""

    def weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Weigh by the training counts; a class that never occurs gets weight 1."""
        total, seen = sum(counts.values()), sum(count > 0 for count in counts.values())
        return [(total / (seen * count)) ** self.power if count else 1.0 for count in counts.values()]


class GivenWeights(ClassWeightsSpec):
    """Weights as stated; classes that are not named have weight 1."""

    type: Literal["given"] = "given"
    values: dict[str, NonNegativeFloat]
    """Class name to weight."""

    def weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Look the weights up.

        Raises:
            MtlError: If a weight names no class of the task.
        """
        for name in self.values:
            if name not in counts:
                raise MtlError(
                    f"class_weights: '{name}' is no class{did_you_mean(name, counts)} (classes: {listed(counts)})"
                )
        return [self.values.get(name, 1.0) for name in counts]
