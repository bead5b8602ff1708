"""A plugin whose components have the fault that their keys name."""

from typing import Any, Literal

import torch
from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, HeadSpec, LossMaskSpec, hookimpl


class _FaultyHead(nn.Module):
    """A head that returns the value named by `fault`."""

    def __init__(self, width: int, outputs: int, fault: str) -> None:
        super().__init__()
        self.layer, self.fault = nn.Linear(width, outputs), fault

    def forward(self, features: Features) -> Any:
        outputs = self.layer(features.values)
        return {
            "length": outputs.unsqueeze(1).expand(-1, 3, -1),
            "one row": outputs[:1],
            "too wide": torch.cat([outputs, outputs], dim=1),
            "nothing": None,
            "tuple": (outputs, outputs),
            "classes": outputs.argmax(dim=1),
        }[self.fault]


class WrongHead(HeadSpec):
    """A head that is wrong."""

    type: Literal["wrong"] = "wrong"
    what: str
    """Its fault."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Return the head, or None for the fault "no module"."""
        return None if self.what == "no module" else _FaultyHead(inputs.width, outputs, self.what)  # type: ignore[return-value]


class WrongBackbone(BackboneSpec):
    """A backbone that is wrong."""

    type: Literal["wrong"] = "wrong"
    tensor: bool
    """Whether it returns a tensor instead of features."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Return the backbone."""
        tensor = self.tensor

        class Module(nn.Module):
            output = FeatureShape(inputs.width + 1, inputs.sequence)

            def forward(self, features: Features) -> Any:
                return features.values if tensor else features

        return Module()


class WrongMask(LossMaskSpec):
    """A mask that is wrong."""

    type: Literal["wrong"] = "wrong"
    flat: bool
    """Whether it returns one dimension; floats otherwise."""

    def build(self, spaces: Any) -> Any:
        """Return the mask function."""
        return lambda targets: targets[:, 0] >= 0 if self.flat else (targets >= 0).float()


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [WrongHead]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [WrongBackbone]


@hookimpl
def mtl_loss_masks() -> list[type[LossMaskSpec]]:
    return [WrongMask]
