"""Spec of fusions, which join the features of input columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Spec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


@spec_base("fusions")
class FusionSpec(Spec):
    """Spec of a fusion, which joins the features of several input columns into the input of the backbone."""

    @abstractmethod
    def build(self, inputs: Mapping[str, FeatureShape]) -> nn.Module:
        """Build a module from a mapping of column to `Features` to `Features`; its `output` is a `FeatureShape`.

        Args:
            inputs: Column to the shape of its features, in the order of the columns.

        Raises:
            MtlError: If this fusion cannot join such features.
        """
