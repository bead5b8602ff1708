"""The task kind `token-regression`: one number per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.task_kinds.regression import RegressionSpec
from mtl_core.plugins.specs import Level

if TYPE_CHECKING:
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.data.number_space import NumberSpace


class TokenRegression(RegressionSpec):
    """Regression per token, such as the logarithm of word frequency; a label is a list with one number per word."""

    type: Literal["token-regression"] = "token-regression"
    level: ClassVar[Level] = "token"

    def build_space(self, label_statistics: LabelStatistics) -> NumberSpace:
        """Fit the scale to the numbers of all training tokens."""
        from mtl_core.data.number_space import NumberSpace, parse_numbers

        locations = (
            label_statistics.locations
            if len(label_statistics.locations)
            else ["a training label"] * len(label_statistics.training_labels)
        )
        rows = (parse_numbers(label, locations, index) for index, label in enumerate(label_statistics.training_labels))
        numbers = [number for row in rows for number in row if number == number]
        return NumberSpace.fit(numbers, vector=False, standardise=self.standardise)
