"""Fusion by concatenation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import FusionSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class Concatenate(FusionSpec):
    """Concatenate one vector per column; columns with tokens or positions are averaged over them first."""

    type: Literal["concatenate"] = "concatenate"

    def build(self, inputs: Mapping[str, FeatureShape]) -> nn.Module:
        """Build the module."""
        from mtl_core.builtins.fusions.modules.concatenate import ConcatenateFusion

        return ConcatenateFusion(inputs)
