"""Architectures: the extension point that defines which layers tasks share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.task_features import TaskFeatures
from mtl_core.plugins.layouts import validate_layout
from mtl_core.plugins.specs import ArchitectureSpec, BackboneSpec


@dataclass(frozen=True)
class NetworkParts:
    """Factories of the modules of an architecture; every call builds a new module with new weights.

    Attributes:
        input_layer: Builds the encoder's input layer; its attribute `output` is a `FeatureShape`.
        backbone: Builds the configured backbone for a `FeatureShape`; it also has an attribute `output`.
    """

    input_layer: Callable[[], nn.Module]
    backbone: Callable[[FeatureShape], nn.Module]


class Architecture(nn.Module):
    """Base class of modules from a batch of inputs to the features that heads read.

    Attributes:
        output: The shape of the features, equal for all tasks.
    """

    output: FeatureShape

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Compute features.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            active: Whether each task's features are needed; the features of other tasks need not be computed.

        Returns:
            One `Features` for all tasks, or one per task, which may be None for a task that is not active. Features
            per task in one tensor are a `TaskFeatures`: head groups then compute all tasks in one batched product.
        """
        raise NotImplementedError

    def on_step_start(self, step: int, total: int) -> None:
        """Update what depends on the progress of the training, at the start of a step.

        Args:
            step: The step, counted from 0.
            total: The number of steps of the run.
        """

    def regularization_loss(self) -> torch.Tensor | None:
        """Return the regularization loss of a step, a scalar tensor; None for no regularization."""
        return None

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task-specific parameters of a task; a step without labels for it does not update them."""
        return []

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the task, each row specific to its task.

        A step without labels for a task restores its rows. Hundreds of tasks then have a few large parameters instead
        of hundreds of small ones.
        """
        return []


def build_architecture(spec: ArchitectureSpec, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
    """Build an architecture and validate its type and its attribute `output`.

    Raises:
        MtlError: If it is not an `Architecture`, or if it has no attribute `output` of type `FeatureShape`.
    """
    trunk = spec.build(parts, tasks)
    if not isinstance(trunk, Architecture) or not isinstance(getattr(trunk, "output", None), FeatureShape):
        raise MtlError(
            f"architecture '{spec.type}': its build must return an `Architecture` with an attribute "
            f"`output: FeatureShape`, found a {type(trunk).__name__}"
        )
    return trunk


def build_backbone(spec: BackboneSpec, inputs: FeatureShape) -> nn.Module:
    """Build a backbone and validate its attribute `output`.

    Raises:
        MtlError: If the backbone does not read features of this layout, or the module has no attribute `output` of
            type `FeatureShape`.
    """
    validate_layout(spec, inputs.layout)
    backbone = spec.build(inputs)
    if not isinstance(getattr(backbone, "output", None), FeatureShape):
        raise MtlError(f"backbone '{spec.type}': its module must have an attribute `output: FeatureShape`")
    return backbone


def validate_task_features(features: TaskFeatures, shape: FeatureShape) -> TaskFeatures:
    """Validate stacked features like those of one task.

    Raises:
        MtlError: If their width or size differs from the backbone's `output`.
    """
    validate_features(Features(features.values.detach()[0]), shape)
    return features


def validate_features(features: object, shape: FeatureShape) -> Features:
    """Validate the features that a backbone returns.

    Raises:
        MtlError: If they are not a `Features`, or if their width or size differs from the backbone's `output`.
    """
    if not isinstance(features, Features):
        raise MtlError(f"the backbone returned a {type(features).__name__}, expected Features")
    if shape.size is not None:
        if tuple(features.values.shape[1:]) != (shape.width, *shape.size):
            raise MtlError(
                f"the backbone returned features of shape {tuple(features.values.shape)}, but its `output` states "
                f"(batch, {shape.width}, {shape.size[0]}, {shape.size[1]})"
            )
        return features
    if features.values.ndim > 3:
        raise MtlError(
            f"the backbone returned features of shape {tuple(features.values.shape)}, "
            "but its `output` declares no `size`"
        )
    if features.values.shape[-1] != shape.width:
        raise MtlError(
            f"the backbone returned {features.values.shape[-1]} features, but its `output` states {shape.width}"
        )
    return features
