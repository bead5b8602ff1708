"""Gated fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core.plugins.specs import FusionSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class Gated(FusionSpec):
    """Gated multimodal unit: a sum of projected columns, each weighted by a gate that reads all columns.

    Columns with tokens or positions are averaged over them first (Arevalo et al., 2017).
    """

    type: Literal["gated"] = "gated"
    hidden_dim: PositiveInt = 64
    """Width of the joint vector."""

    def build(self, inputs: Mapping[str, FeatureShape]) -> nn.Module:
        """Build the module."""
        from mtl_core.builtins.fusions.modules.gated import GatedFusion

        return GatedFusion(inputs, self.hidden_dim)
