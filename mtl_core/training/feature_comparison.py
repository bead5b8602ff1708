"""Comparison of the gradients of tasks with respect to the features that their heads read."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.nn.features import Features
from mtl_core.nn.heads import HeadGroup, HeadOutput
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.seeding import derive_seed
from mtl_core.training.feature_gradients import find_starts, iterate_feature_gradients
from mtl_core.training.gradient_comparison import ComparedGradients
from mtl_core.training.gradient_sketch import GradientSketch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.head_backward import HeadBackward
from mtl_core.training.linear_gram import LinearGradients, compute_linear_gram
from mtl_core.training.losses import TaskLosses


class FeatureComparison:
    """Compares gradients with respect to the features of the batch, which all tasks share.

    Let `g_i` be the gradient of the loss of task i with respect to the features of all examples of the batch. A step of
    length `lr` along it changes the loss of task j by `-lr * <g_i, g_j>` to first order. The affinity of i onto j is
    this change, relative to the loss: `lr * <g_i, g_j> / loss of j`, the first-order form of the affinity of Fifty et
    al. (2021), at the features instead of the parameters. It is not symmetric, because it is relative to the loss of j.
    The symmetric form is the cosine of both gradients.

    No backward pass visits the trunk:

    - For linear heads on one vector per example, the dot products follow from the gradients at the outputs and the
      weights, without the gradients at the features.
    - For other heads, the gradients of separate heads come from one pass, and those of a module for several tasks are
      computed together. Gradients with more than 4,096 numbers are projected at random, with another projection in each
      step, which leaves the expected dot products unchanged. Li et al. (2024) project gradients for the same purpose.

    The dot product of two tasks contains only examples with labels of both. For two tasks without such an example in
    the batch, it is undefined.

    Args:
        computes_affinity: Whether to compute affinities.
        seed: The seed of the projections.

    References:
        C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil, C. Finn: Efficiently Identifying Task Groupings for Multi-Task
        Learning. NeurIPS, 2021. D. Li, A. Sharma, H. R. Zhang: Scalable Multitask Learning Using Gradient-based
        Estimation of Task Affinity. KDD, 2024.
    """

    def __init__(self, computes_affinity: bool, seed: int) -> None:
        self._computes_affinity = computes_affinity
        self._seed = seed
        self._features: list[torch.Tensor] = []
        self._outputs: Sequence[HeadOutput | None] = ()
        self._head_groups: Sequence[HeadGroup] = ()
        self._head_backward: HeadBackward | None = None

    def attach(self, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
        """Record features and outputs of every forward pass of a network with gradients."""
        self._head_groups = network.head_groups()
        self._head_backward = HeadBackward(network, group_sizes, [])
        _register_hooks(network, weakref.ref(self))

    def start_recording(self) -> None:
        """Remove what was recorded of an earlier forward pass."""
        self._features, self._outputs = [], ()

    def record_features(self, features: torch.Tensor) -> None:
        """Record the features of a pass through the trunk; further passes read the masked inputs of auxiliary tasks."""
        self._features.append(features)

    def record_outputs(self, outputs: Sequence[HeadOutput | None]) -> None:
        """Record the outputs of the heads."""
        self._outputs = outputs

    def compare(
        self,
        losses: TaskLosses,
        gradients: StepGradients,
        recompute_losses: Callable[[], TaskLosses],
        lr: float,
        step: int,
    ) -> ComparedGradients:
        """Run one backward pass through the heads."""
        gram_and_labels = self._compute_linear_gram(losses)
        if gram_and_labels is None:
            rows, is_labelled = self._compute_rows(losses, step)
            gram_and_labels = rows @ rows.T, is_labelled
        gram, is_labelled = gram_and_labels
        labels = is_labelled.to(gram.dtype)
        gram = gradients.distributed.all_reduce(gram).cpu().double()
        n_common = gradients.distributed.all_reduce(labels @ labels.T).cpu()
        gram = ((gram + gram.T) / 2).masked_fill(n_common == 0, torch.nan)
        if not self._computes_affinity or lr <= 0:
            return ComparedGradients(gram, torch.full_like(gram, torch.nan))
        return ComparedGradients(gram, lr * gram / losses.values.detach().cpu().double())

    def _compute_linear_gram(self, losses: TaskLosses) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Compute the dot products of linear heads on the vectors of examples; None if a head is another one."""
        pairs = list(zip(self._head_groups, self._outputs, strict=True))
        weights = [group.linear_weight() for group, _ in pairs]
        is_one_pass = len(self._features) == 1 and self._features[0].ndim == 2
        if not is_one_pass or any(weight is None for weight in weights):
            return None
        outputs = [output.outputs for _, output in pairs if output is not None]
        ones = torch.ones_like(losses.values)
        grads = iter(torch.autograd.grad(losses.values, outputs, ones, retain_graph=True, allow_unused=True))
        batch = len(self._features[0])
        groups = []
        for (_, output), weight in zip(pairs, weights, strict=True):
            assert weight is not None  # noqa: S101  checked above
            grad = next(grads) if output is not None else None
            groups.append(LinearGradients(weight.new_zeros(batch, *weight.shape[:2]) if grad is None else grad, weight))
        return compute_linear_gram(groups, losses.tasks)

    def _compute_rows(self, losses: TaskLosses, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute one gradient per loss, and whether it is nonzero for each example.

        Returns:
            `(active, numbers)`, float32, and `(active, batch)`, bool.
        """
        features, head_backward = self._features[0], self._head_backward
        assert head_backward is not None  # noqa: S101  `attach` was called before the first step
        starts = find_starts(head_backward, losses.values, losses.tasks, accumulate=False)
        sketch = GradientSketch(features.numel(), features.device, derive_seed(self._seed, "sketch", step))
        rows = features.new_zeros((len(starts), sketch.size), dtype=torch.float32)
        is_labelled = torch.zeros((len(starts), len(features)), dtype=torch.bool, device=features.device)
        for indices, gradient in iterate_feature_gradients(starts, features):
            flat = gradient.flatten(2).float()
            is_labelled[indices] = (flat != 0).any(dim=2)
            rows[indices] = sketch.project(flat.flatten(1))
        return rows, is_labelled


def _register_hooks(network: MultiTaskNetwork, comparison_ref: "weakref.ref[FeatureComparison]") -> None:
    """Record features and outputs of every forward pass with gradients while the comparison exists."""

    def get_comparison() -> FeatureComparison | None:
        comparison = comparison_ref()
        if comparison is None:
            for handle in handles:
                handle.remove()
        return comparison if torch.is_grad_enabled() else None

    def start(_: nn.Module, __: Any) -> None:
        if (comparison := get_comparison()) is not None:
            comparison.start_recording()

    def record_features(_: nn.Module, __: Any, features: Sequence[Features | None]) -> None:
        comparison = get_comparison()
        if comparison is not None and features[0] is not None:
            comparison.record_features(features[0].values)

    def record_outputs(_: nn.Module, __: Any, outputs: Sequence[HeadOutput | None]) -> None:
        if (comparison := get_comparison()) is not None:
            comparison.record_outputs(outputs)

    handles = [
        network.register_forward_pre_hook(start),
        network.trunk.register_forward_hook(record_features),
        network.register_forward_hook(record_outputs),
    ]
