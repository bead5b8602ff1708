"""Gradients of losses with respect to the features that the heads read."""

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.head_backward import HeadBackward
from mtl_core.training.task_gradients import BackwardStart

MAX_CHUNK_ELEMENTS = 2**24
"""Maximum number of elements of the gradients at the outputs of a head group that are propagated together."""


class FeatureGradients:
    """Computes the gradient of each loss with respect to the features of the batch, which all tasks share.

    No backward pass visits the trunk. The gradients of separate heads come from one pass; those of a module for several
    tasks are computed together.

    Args:
        network: The network. A hook records its features in every forward pass with gradients.
        heads: Computes the backward pass through the heads of this network.
    """

    def __init__(self, network: MultiTaskNetwork, heads: HeadBackward) -> None:
        self._heads = heads
        self._features: torch.Tensor | None = None
        _register_feature_hooks(network, weakref.ref(self))

    def record_features(self, features: torch.Tensor | None) -> None:
        """Record the features of a forward pass; None clears the record."""
        self._features = features

    def get_features(self) -> torch.Tensor:
        """Return the features of the last forward pass, `(batch, ...)`.

        Raises:
            MtlError: If the tasks read different features.
        """
        if self._features is None:
            raise MtlError(
                "there is no tensor of features that all tasks read: this architecture has features per task"
            )
        return self._features

    def iterate(
        self, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Compute the gradients of the losses of the last forward pass; the graph of the trunk is kept.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task of each loss.
            accumulate: Whether to add the gradients of the sum of losses to the task-specific parameters of the heads.

        Yields:
            Indices of losses, and their gradients, `(losses, *features.shape)`. A loss that does not depend on the
            features, such as that of a head that reads masked inputs, is left out.
        """
        features = self.get_features()
        yield from iterate_feature_gradients(find_starts(self._heads, values, tasks, accumulate), features)


def find_starts(
    heads: HeadBackward, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
) -> Sequence[BackwardStart | None]:
    """Return where the backward pass of each loss starts: after its head, or at the loss if the heads are unknown."""
    starts = heads.backward_heads(values, tasks, accumulate)
    return starts if starts is not None else [BackwardStart(value, torch.ones_like(value)) for value in values.unbind()]


def iterate_feature_gradients(
    starts: Sequence[BackwardStart | None], features: torch.Tensor
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yield indices of losses, with their gradients with respect to the features, `(losses, *features.shape)`.

    Losses that start at the same tensor, the outputs of a module for several tasks, are propagated together.
    """
    by_tensor: dict[int, list[int]] = {}
    for index, start in enumerate(starts):
        if start is not None and start.tensor.requires_grad:
            by_tensor.setdefault(id(start.tensor), []).append(index)
    for indices in by_tensor.values():
        selected = [start for index in indices if (start := starts[index]) is not None]
        tensor = selected[0].tensor
        size = max(1, MAX_CHUNK_ELEMENTS // max(tensor.numel(), features.numel()))
        for first in range(0, len(indices), size):
            grad_outputs = [start.grad_output for start in selected[first : first + size]]
            gradients = _propagate(tensor, features, grad_outputs)
            if gradients is not None:  # otherwise, the head reads other features, of masked inputs
                yield indices[first : first + size], gradients


def _propagate(
    tensor: torch.Tensor, features: torch.Tensor, grad_outputs: Sequence[torch.Tensor]
) -> torch.Tensor | None:
    """Return the gradients with respect to the features, `(losses, *features.shape)`; None without dependence."""
    if len(grad_outputs) == 1:
        (gradient,) = torch.autograd.grad(tensor, features, grad_outputs[0], retain_graph=True, allow_unused=True)
        return None if gradient is None else gradient.unsqueeze(0)
    (gradients,) = torch.autograd.grad(
        tensor, features, torch.stack(list(grad_outputs)), retain_graph=True, allow_unused=True, is_grads_batched=True
    )
    return gradients


def _register_feature_hooks(network: MultiTaskNetwork, gradients_ref: "weakref.ref[FeatureGradients]") -> None:
    """Record the first features of every forward pass with gradients while the object exists.

    The trunk computes further features of a batch for auxiliary tasks that read masked inputs.
    """
    is_first = True

    def start(_: nn.Module, __: Any) -> None:
        nonlocal is_first
        is_first = True

    def record(_: nn.Module, __: Any, features: Sequence[Features | None]) -> None:
        nonlocal is_first
        gradients = gradients_ref()
        if gradients is None:
            for handle in handles:
                handle.remove()
        elif is_first and torch.is_grad_enabled() and isinstance(features, Sequence):  # the network reports other types
            if len(features) > 1:
                gradients.record_features(None)
                is_first = False
            elif features[0] is not None:
                gradients.record_features(features[0].values)
                is_first = False

    handles = [network.register_forward_pre_hook(start), network.trunk.register_forward_hook(record)]
