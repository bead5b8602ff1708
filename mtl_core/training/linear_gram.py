"""Dot products of the gradients of linear heads, without the gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LinearGradients:
    """The gradients of a group of linear heads, as factors.

    The gradient of a task with respect to the features of an example is the gradient with respect to its outputs, times
    its weights.

    Attributes:
        grad_outputs: `(batch, tasks, outputs)`: gradients with respect to outputs.
        weights: `(tasks, outputs, width)`: the weights of the heads.
    """

    grad_outputs: torch.Tensor
    weights: torch.Tensor


def compute_linear_gram(groups: Sequence[LinearGradients], tasks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the dot products of the gradients of tasks with respect to the features of all examples.

    For one output per task, the dot product of two tasks is that of their gradients at the outputs times that of their
    weights; with several outputs, the sum over pairs of outputs.

    Args:
        groups: The gradients of all head groups.
        tasks: `(active,)`, int64: the tasks to compare; they are counted over all groups.

    Returns:
        `(active, active)`, float32: the dot products, and `(active, batch)`, bool: whether the gradient of a task at an
        example is nonzero.
    """
    is_labelled = torch.cat([(group.grad_outputs != 0).any(dim=2) for group in groups], dim=1).T[tasks]
    residuals = torch.cat([group.grad_outputs.flatten(1) for group in groups], dim=1).float()
    weights = torch.cat([group.weights.detach().flatten(0, 1) for group in groups]).float()
    products = (residuals.T @ residuals) * (weights @ weights.T)
    sizes = torch.tensor([size for group in groups for size in [group.weights.shape[1]] * group.weights.shape[0]])
    if bool((sizes > 1).any()):
        task_of_output = torch.repeat_interleave(torch.arange(len(sizes)), sizes).to(products.device)
        rows = products.new_zeros((len(sizes), len(products))).index_add_(0, task_of_output, products)
        products = products.new_zeros((len(sizes), len(sizes))).index_add_(1, task_of_output, rows)
    return products[tasks][:, tasks], is_labelled
