"""Aligned-MTL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.preferences import PreferenceSpec, normalize_preferences

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class AlignedMTL(PreferenceSpec):
    """Independent component alignment (Aligned-MTL; Senushkin et al., 2023).

    The gradients are made orthogonal and equally long with the least change; the result is their mean.
    """

    type: Literal["aligned-mtl"] = "aligned-mtl"
    scale_mode: Literal["min", "median", "rmse"] = "min"
    """That length: the minimum, median or root mean square of the singular values of the Jacobian."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.AlignedMTL(normalize_preferences(task_values), self.scale_mode)
