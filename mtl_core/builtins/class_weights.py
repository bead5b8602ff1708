"""Class weights: the weight of each class in a task's loss."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import NonNegativeFloat

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import ClassWeightsSpec


class Unweighted(ClassWeightsSpec):
    """Equal weight for every class."""

    type: Literal["none"] = "none"

    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Return all ones."""
        return [1.0] * len(counts)


class Balanced(ClassWeightsSpec):
    """Higher weights for rare classes: `(labels / (classes · count)) ** power`; scikit-learn's rule at power 1."""

    type: Literal["balanced"] = "balanced"
    power: NonNegativeFloat = 1.0
    """1 gives every class the same total weight, 0 disables weighting, 0.5 is between the two."""

    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Compute weights from the training counts; a class that never occurs gets weight 1."""
        total, n_present = sum(counts.values()), sum(count > 0 for count in counts.values())
        return [(total / (n_present * count)) ** self.power if count else 1.0 for count in counts.values()]


class ExplicitWeights(ClassWeightsSpec):
    """Explicit weights; classes that are not listed have weight 1."""

    type: Literal["explicit"] = "explicit"
    values: dict[str, NonNegativeFloat]
    """Mapping from class name to weight."""

    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Return the configured weights.

        Raises:
            MtlError: If a weight refers to a class that the task does not have.
        """
        for name in self.values:
            if name not in counts:
                raise MtlError(
                    f"class_weights: '{name}' is not a class{did_you_mean(name, counts)}"
                    f" (classes: {join_names(counts)})"
                )
        return [self.values.get(name, 1.0) for name in counts]
