"""Comparison of the gradients of tasks with respect to the features that their heads read."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.nn.features import Features
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.seeding import derive_seed
from mtl_core.training.gradient_comparison import ComparedGradients
from mtl_core.training.gradients import StepGradients
from mtl_core.training.head_backward import HeadBackward
from mtl_core.training.losses import TaskLosses
from mtl_core.training.task_gradients import BackwardStart

SKETCH_SIZE = 4096
"""Maximum number of numbers of a gradient; larger gradients are projected at random to this many."""
MAX_CHUNK_ELEMENTS = 2**24
"""Maximum number of elements of the gradients at the outputs of a head group that are propagated together."""


class FeatureComparison:
    """Compares gradients with respect to the features of the batch, which all tasks share.

    Let `g_i` be the gradient of the loss of task i with respect to the features of all examples of the batch. A step of
    length `lr` along it changes the loss of task j by `-lr * <g_i, g_j>` to first order. The affinity of i onto j is
    this change, relative to the loss: `lr * <g_i, g_j> / loss of j`, the first-order form of the affinity of Fifty et
    al. (2021), at the features instead of the parameters. It is not symmetric, because it is relative to the loss of j.
    The symmetric form is the cosine of both gradients.

    No backward pass visits the trunk. The gradients of separate heads come from one pass; those of a module for several
    tasks are computed together. Gradients with more than 4,096 numbers are projected at random (count sketch; Charikar
    et al., 2004), with new signs and positions in each step, which leaves the expected dot products unchanged. Li et
    al. (2024) project gradients for the same purpose.

    The dot product of two tasks contains only examples with labels of both. For two tasks without such an example in
    the batch, it is undefined.

    Args:
        computes_affinity: Whether to compute affinities.
        seed: The seed of the projections.

    References:
        C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil, C. Finn: Efficiently Identifying Task Groupings for Multi-Task
        Learning. NeurIPS, 2021. D. Li, A. Sharma, H. R. Zhang: Scalable Multitask Learning Using Gradient-based
        Estimation of Task Affinity. KDD, 2024. M. Charikar, K. Chen, M. Farach-Colton: Finding Frequent Items in Data
        Streams. Theoretical Computer Science 312(1), 2004.
    """

    def __init__(self, computes_affinity: bool, seed: int) -> None:
        self._computes_affinity = computes_affinity
        self._seed = seed
        self._features: torch.Tensor | None = None
        self._heads: HeadBackward | None = None

    def attach(self, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
        """Record the features of every forward pass of a network with gradients."""
        self._heads = HeadBackward(network, group_sizes, [])
        _register_feature_hooks(network, weakref.ref(self))

    def record_features(self, features: torch.Tensor | None) -> None:
        """Record the features of a forward pass; None clears the record."""
        self._features = features

    def compare(
        self,
        losses: TaskLosses,
        gradients: StepGradients,
        recompute_losses: Callable[[], TaskLosses],
        lr: float,
        step: int,
    ) -> ComparedGradients:
        """Run one backward pass through the heads."""
        rows, is_labelled = self._compute_rows(losses, step)
        gram = gradients.distributed.all_reduce(rows @ rows.T).cpu().double()
        labels = is_labelled.to(rows.dtype)
        n_common = gradients.distributed.all_reduce(labels @ labels.T).cpu()
        gram = ((gram + gram.T) / 2).masked_fill(n_common == 0, torch.nan)
        if not self._computes_affinity or lr <= 0:
            return ComparedGradients(gram, torch.full_like(gram, torch.nan))
        return ComparedGradients(gram, lr * gram / losses.values.detach().cpu().double())

    def _compute_rows(self, losses: TaskLosses, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute one gradient per loss, and whether it is nonzero for each example.

        Returns:
            `(active, numbers)`, float32, and `(active, batch)`, bool.
        """
        features, heads = self._features, self._heads
        assert features is not None  # noqa: S101  recorded by the forward pass of the losses
        assert heads is not None  # noqa: S101  `attach` was called before the first step
        starts = heads.backward_heads(losses.values, losses.tasks, accumulate=False)
        if starts is None:
            starts = [BackwardStart(value, torch.ones_like(value)) for value in losses.values.unbind()]
        sketch = _Sketch(features[0].numel() * len(features), features.device, derive_seed(self._seed, "sketch", step))
        rows = features.new_zeros((len(starts), sketch.size), dtype=torch.float32)
        is_labelled = torch.zeros((len(starts), len(features)), dtype=torch.bool, device=features.device)
        for indices, gradient in _iterate_gradients(starts, features):
            flat = gradient.flatten(2).float()
            is_labelled[indices] = (flat != 0).any(dim=2)
            rows[indices] = sketch.project(flat.flatten(1))
        return rows, is_labelled


class _Sketch:
    """A random projection of vectors: each number is added to one position, with a random sign."""

    def __init__(self, n_numbers: int, device: torch.device, seed: int) -> None:
        self.size = min(n_numbers, SKETCH_SIZE)
        self._is_needed = n_numbers > SKETCH_SIZE
        if self._is_needed:
            generator = torch.Generator().manual_seed(seed)
            self._positions = torch.randint(SKETCH_SIZE, (n_numbers,), generator=generator).to(device)
            self._signs = (torch.randint(2, (n_numbers,), generator=generator) * 2.0 - 1.0).to(device)

    def project(self, vectors: torch.Tensor) -> torch.Tensor:
        """Project `(vectors, numbers)` to `(vectors, size)`."""
        if not self._is_needed:
            return vectors
        return vectors.new_zeros((len(vectors), self.size)).index_add_(1, self._positions, vectors * self._signs)


def _iterate_gradients(
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


def _register_feature_hooks(network: MultiTaskNetwork, comparison_ref: "weakref.ref[FeatureComparison]") -> None:
    """Record the first features of every forward pass with gradients while the comparison exists.

    The trunk computes further features of a batch for auxiliary tasks that read masked inputs.
    """
    is_first = True

    def start(_: nn.Module, __: Any) -> None:
        nonlocal is_first
        is_first = True

    def record(_: nn.Module, __: Any, features: Sequence[Features | None]) -> None:
        nonlocal is_first
        comparison = comparison_ref()
        if comparison is None:
            for handle in handles:
                handle.remove()
        elif is_first and torch.is_grad_enabled() and features[0] is not None:
            comparison.record_features(features[0].values)
            is_first = False

    handles = [network.register_forward_pre_hook(start), network.trunk.register_forward_hook(record)]
