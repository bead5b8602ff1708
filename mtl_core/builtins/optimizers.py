"""Optimizers from torch, fused where possible: one pass over the parameters instead of one per operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import OptimizerSpec

if TYPE_CHECKING:
    import torch


class Adam(OptimizerSpec):
    """Adam (Kingma and Ba, 2015)."""

    type: Literal["adam"] = "adam"
    lr: PositiveFloat = 1e-3
    """Learning rate."""
    betas: list[Probability] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    """Decay of the running means of gradients and of their squares."""
    weight_decay: NonNegativeFloat = 0.0
    """L2 penalty, added to the gradients."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Build the optimizer."""
        from torch.optim import Adam as TorchAdam

        first, second = self.betas
        return TorchAdam(parameters, lr=self.lr, betas=(first, second), weight_decay=self.weight_decay, fused=True)


class AdamW(OptimizerSpec):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    type: Literal["adamw"] = "adamw"
    lr: PositiveFloat = 1e-3
    """Learning rate."""
    betas: list[Probability] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    """Decay of the running means of gradients and of their squares."""
    weight_decay: NonNegativeFloat = 0.01
    """Fraction by which a step with learning rate 1 would shrink each weight."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Build the optimizer."""
        from torch.optim import AdamW as TorchAdamW

        first, second = self.betas
        return TorchAdamW(parameters, lr=self.lr, betas=(first, second), weight_decay=self.weight_decay, fused=True)


class SGD(OptimizerSpec):
    """Stochastic gradient descent with momentum."""

    type: Literal["sgd"] = "sgd"
    lr: PositiveFloat = 0.1
    """Learning rate."""
    momentum: Probability = 0.9
    """Momentum factor."""
    weight_decay: NonNegativeFloat = 0.0
    """L2 penalty, added to the gradients."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Build the optimizer."""
        from torch.optim import SGD as TorchSGD  # noqa: N811

        # Not fused: the fused form fails if parameters of tasks without labels so far have no momentum buffer yet.
        return TorchSGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
