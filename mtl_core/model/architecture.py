"""How backbones and heads are joined: the seam between what tasks share and what they do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.features import Features, FeatureShape
from mtl_core.specs import ArchitectureSpec, BackboneSpec


@dataclass(frozen=True)
class NetworkParts:
    """What an architecture is built from; every call makes a new module with weights of its own.

    Attributes:
        input_layer: Makes the encoder's input layer; its attribute `output` is a `FeatureShape`.
        backbone: Makes the experiment's backbone for features of a shape; it has an attribute `output` too.
    """

    input_layer: Callable[[], nn.Module]
    backbone: Callable[[FeatureShape], nn.Module]


class Architecture(nn.Module):
    """Base of modules from a batch of inputs to the features that heads read.

    Attributes:
        output: The shape of these features, the same for every task.
    """

    output: FeatureShape

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Compute features.

        Args:
            inputs: What the encoder's `collate` gave.
            active: Which tasks will use theirs; work for the others may be left out.

        Returns:
            One `Features` that all tasks read, or one a task, which may be None for a task that is not active.
        """
        raise NotImplementedError

    def penalty(self) -> torch.Tensor | None:
        """What is added to the loss of every step, a scalar; None for nothing."""
        return None

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Parameters that belong to one task alone, so that a step without labels for it does not move them."""
        return []


def build_architecture(spec: ArchitectureSpec, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
    """Build an architecture and check that it says what it gives.

    Raises:
        MtlError: If it is no `Architecture`, or has no attribute `output` of type `FeatureShape`.
    """
    body = spec.build(parts, tasks)
    if not isinstance(body, Architecture) or not isinstance(getattr(body, "output", None), FeatureShape):
        raise MtlError(
            f"architecture '{spec.type}': its build must give an `Architecture` with an attribute "
            f"`output: FeatureShape`, found a {type(body).__name__}"
        )
    return body


def build_backbone(spec: BackboneSpec, inputs: FeatureShape) -> nn.Module:
    """Build a backbone and check that it says what it gives.

    Raises:
        MtlError: If the module has no attribute `output` of type `FeatureShape`.
    """
    backbone = spec.build(inputs)
    if not isinstance(getattr(backbone, "output", None), FeatureShape):
        raise MtlError(f"backbone '{spec.type}': its module must have an attribute `output: FeatureShape`")
    return backbone


def checked_features(features: object, shape: FeatureShape) -> Features:
    """Refuse what a backbone of somebody's making must not give.

    Raises:
        MtlError: If it is no `Features`, or not as wide as announced.
    """
    if not isinstance(features, Features):
        raise MtlError(f"the backbone gave a {type(features).__name__}, expected Features")
    if features.values.shape[-1] != shape.width:
        raise MtlError(
            f"the backbone gave {features.values.shape[-1]} features, but its `output` says {shape.width}"
        )
    return features
