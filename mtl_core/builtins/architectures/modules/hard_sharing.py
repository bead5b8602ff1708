"""The trunk that all tasks share."""

from collections.abc import Sequence
from typing import Any

from mtl_core.nn.architecture import Architecture, NetworkParts
from mtl_core.nn.features import Features


class SharedTrunk(Architecture):
    """Trunk of one input layer and one backbone.

    Args:
        parts: Factories of both.
    """

    def __init__(self, parts: NetworkParts) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        self.backbone = parts.backbone(self.input_layer.output)  # type: ignore[arg-type]
        self.output = self.backbone.output  # type: ignore[assignment]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Return the same features for all tasks."""
        return [self.backbone(self.input_layer(inputs))]
