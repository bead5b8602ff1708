"""Fusion by broadcasting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import FusionSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class Broadcast(FusionSpec):
    """Append the features of all other columns to every token, or to every position of an image.

    One column must have tokens or positions; the backbone then reads what it would read of this column alone, with
    wider features.
    """

    type: Literal["broadcast"] = "broadcast"

    def build(self, inputs: Mapping[str, FeatureShape]) -> nn.Module:
        """Build the module.

        Raises:
            MtlError: If not exactly one column has tokens or positions.
        """
        from mtl_core.builtins.fusions.modules.broadcast import BroadcastFusion

        return BroadcastFusion(inputs)
