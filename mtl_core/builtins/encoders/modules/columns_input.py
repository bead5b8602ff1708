"""The input layer of several columns, and its batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from mtl_core.builtins.fusions.broadcast import Broadcast
from mtl_core.builtins.fusions.concatenate import Concatenate
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.specs import FusionSpec


@dataclass(frozen=True)
class ColumnBatch:
    """The batch of each column.

    Attributes:
        columns: Column to the batch that its encoder's `collate` returned.
    """

    columns: Mapping[str, Any]

    def to(self, device: Any) -> "ColumnBatch":
        """Return the batch on a device."""
        return ColumnBatch({name: batch.to(device) for name, batch in self.columns.items()})


class ColumnsInput(nn.Module):
    """One input layer per column, and the fusion of their features.

    Args:
        layers: Column to input layer.
        fusion: The fusion; None selects it by the columns' features.
    """

    def __init__(self, layers: Mapping[str, nn.Module], fusion: FusionSpec | None) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({_build_key(name): layer for name, layer in layers.items()})
        shapes: dict[str, FeatureShape] = {name: layer.output for name, layer in layers.items()}  # type: ignore[misc]
        self.fusion = (fusion or choose_fusion(shapes)).build(shapes)
        self.output: FeatureShape = self.fusion.output  # type: ignore[assignment]  # a fusion has this attribute

    def forward(self, batch: ColumnBatch) -> Features:
        """Return the joint features."""
        features: Features = self.fusion(
            {name: self.layers[_build_key(name)](inputs) for name, inputs in batch.columns.items()}
        )
        return features


def choose_fusion(shapes: Mapping[str, FeatureShape]) -> FusionSpec:
    """Return the default fusion: `broadcast` if exactly one column has tokens or positions, else `concatenate`."""
    n_positional = sum(shape.layout != "vector" for shape in shapes.values())
    return Broadcast() if n_positional == 1 else Concatenate()


def _build_key(name: str) -> str:
    """Return a column's key of a `ModuleDict`: it contains no dot and is not the name of an attribute."""
    return "column-" + name.replace("%", "%25").replace(".", "%2E")
