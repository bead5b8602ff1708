"""The network: one input layer, one backbone, and the heads (hard parameter sharing)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.features import Features, FeatureShape
from mtl_core.model.heads import HeadGroup, HeadOutput, SeparateHeads
from mtl_core.specs import BackboneSpec, HeadSpec


class MultiTaskNetwork(nn.Module):
    """Shares an input layer and a backbone between all tasks (hard parameter sharing; Caruana, 1993).

    Args:
        input_layer: From a batch of inputs to `Features`.
        backbone: From `Features` to `Features`.
        groups: From `Features` to the outputs of a group of tasks, each.
    """

    def __init__(self, input_layer: nn.Module, backbone: nn.Module, groups: Sequence[HeadGroup]) -> None:
        super().__init__()
        self.input_layer = input_layer
        self.backbone = backbone
        self.groups = nn.ModuleList(groups)

    def forward(self, inputs: Any, wanted: Sequence[torch.Tensor] | None = None) -> list[HeadOutput]:
        """Compute the outputs of every task, a group at a time.

        Args:
            inputs: What the encoder's `collate` gave.
            wanted: `(batch, tasks)`, bool, a group: which outputs will be used. The others may be anything, and
                cost as little as the heads can make them cost. None wants all.
        """
        features = self.backbone(self.input_layer(inputs))
        if not isinstance(features, Features):
            raise MtlError(f"the backbone gave a {type(features).__name__}, expected Features")
        if features.values.shape[-1] != self.backbone.output.width:  # type: ignore[union-attr]
            raise MtlError(
                f"the backbone gave {features.values.shape[-1]} features, but its `output` says "
                f"{self.backbone.output.width}"  # type: ignore[union-attr]
            )
        masks = wanted if wanted is not None else [None] * len(self.groups)
        return [group(features, mask) for group, mask in zip(self.groups, masks, strict=True)]

    def head_groups(self) -> list[HeadGroup]:
        """The groups, typed."""
        return [group for group in self.groups if isinstance(group, HeadGroup)]


def build_backbone(spec: BackboneSpec, inputs: FeatureShape) -> nn.Module:
    """Build a backbone and check that it says what it gives.

    Raises:
        MtlError: If the module has no attribute `output` of type `FeatureShape`.
    """
    backbone = spec.build(inputs)
    if not isinstance(getattr(backbone, "output", None), FeatureShape):
        raise MtlError(f"backbone '{spec.type}': its module must have an attribute `output: FeatureShape`")
    return backbone


def build_head_group(spec: HeadSpec, features: FeatureShape, outputs: int, names: Sequence[str]) -> HeadGroup:
    """Build one module for all the named tasks, or one for each if the spec has no grouped form.

    Raises:
        MtlError: If the spec builds something that is no module.
    """
    group = spec.build_group(features, outputs, len(names))
    if group is not None:
        return group
    heads = [spec.build(features, outputs) for _ in names]
    for head in heads:
        if not isinstance(head, nn.Module):
            raise MtlError(f"head '{spec.type}': its build gave {head!r}, expected a torch module")
    return SeparateHeads(names, heads, outputs)


def parameter_count(network: nn.Module) -> int:
    """Count the numbers that training can move."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
