"""Backbones on top of each other."""

from torch import nn

from mtl_core import FeatureShape, MtlError
from mtl_core.nn import NetworkParts


def build_stack(parts: NetworkParts, shape: FeatureShape, layers: int, architecture: str, hint: str) -> nn.ModuleList:
    """Build backbones of which each reads the features of the one before.

    Args:
        parts: Builds the backbones.
        shape: The shape of the features that the first backbone reads.
        layers: Number of backbones.
        architecture: The `type` of the architecture, for messages.
        hint: What to choose if backbones cannot be stacked, for messages.

    Raises:
        MtlError: If the backbone cannot be stacked.
    """
    stack = nn.ModuleList()
    for _ in range(layers):
        try:
            backbone = parts.backbone(shape)
        except MtlError as error:
            if not stack:
                raise
            raise MtlError(
                f"architecture '{architecture}': backbones cannot be stacked, since the second one does not accept "
                f"the features of the first ({error}). {hint}, or a backbone that can be stacked"
            ) from error
        stack.append(backbone)
        shape = backbone.output  # type: ignore[assignment]
    return stack
