"""Gradients of a training step of the network, for weightings."""

from collections.abc import Collection, Sequence

import torch
from accelerate import Accelerator
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.distributed import SINGLE_PROCESS, DistributedContext
from mtl_core.training.feature_gradients import FeatureGradients
from mtl_core.training.head_backward import HeadBackward
from mtl_core.training.task_gradients import BackwardStart, TaskGradients, accumulate_grad


class StepGradients(TaskGradients):
    """Computes the gradients of the network's parameters.

    Parameters are *shared* if the losses of several tasks depend on them, and *task-specific* otherwise: heads,
    layers that an architecture adds for one task, and parameters that a head group stacks by task. Task-specific
    parameters need no balancing: their gradient is the gradient of the sum of the task losses.

    Args:
        accelerator: Devices, precision, backward.
        network: The network.
        group_sizes: The number of tasks per head group.
        distributed: World size and rank of the training; gradients are reduced to those of the whole batch.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        network: MultiTaskNetwork,
        group_sizes: Sequence[int],
        distributed: DistributedContext = SINGLE_PROCESS,
    ) -> None:
        self.accelerator = accelerator
        shared = find_shared_parameters(network, group_sizes)
        shared_ids = set(map(id, shared))
        task_specific = [p for p in network.parameters() if p.requires_grad and id(p) not in shared_ids]
        super().__init__(shared, task_specific, find_last_shared_layer(network, shared), distributed)
        self._head_backward = HeadBackward(network, group_sizes, self.task_specific)
        head_ids = set(map(id, self._head_backward.parameters))
        self._task_specific_before_heads = [p for p in self.task_specific if id(p) not in head_ids]
        self._feature_gradients = FeatureGradients(network, self._head_backward)
        self._pending_in_heads = [p for p in network.groups.parameters() if p.requires_grad and id(p) not in head_ids]

    def backward_to_features(self, values: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Add gradients to the parameters of the heads, and return the gradients at the features; see `TaskGradients`.

        Raises:
            MtlError: If the tasks read different features, or several processes train.
        """
        if self.distributed.world_size > 1:
            raise MtlError("gradients at the features are those of the examples of one process; here are several")
        features = self._feature_gradients.get_features()
        self._retain_loss_weights()
        if self._pending_in_heads:
            gradients = torch.autograd.grad(
                values, self._pending_in_heads, torch.ones_like(values), retain_graph=True, allow_unused=True
            )
            for parameter, gradient in zip(self._pending_in_heads, gradients, strict=True):
                accumulate_grad(parameter, gradient)
        rows = features.new_zeros((len(values), features.numel()))
        for indices, gradient in self._feature_gradients.iterate(values, tasks, accumulate=True):
            rows[indices] = gradient.flatten(1)
        return rows

    def accumulate_feature_grad(self, gradient: torch.Tensor) -> None:
        """Propagate a gradient at the features to the parameters before them; see `TaskGradients`."""
        features = self._feature_gradients.get_features()
        if features.requires_grad:
            torch.autograd.backward(features, gradient.view_as(features))
        self._release_starts()

    def _run_backward(self, total: torch.Tensor, retain_graph: bool) -> None:
        self.accelerator.backward(total, retain_graph=retain_graph)

    def _find_starts(
        self, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
    ) -> Sequence[BackwardStart | None] | None:
        return self._head_backward.backward_heads(values, tasks, accumulate)

    def _list_pending_parameters(self) -> Sequence[torch.Tensor]:
        return self._task_specific_before_heads

    def _release_starts(self) -> None:
        self._head_backward.record_outputs(())
        self._feature_gradients.record_features(None)

    def reduce(self) -> None:
        """Sum gradients over all ranks. A parameter without a gradient on every rank keeps None."""
        if self.distributed.world_size == 1:
            return
        parameters = [*self.shared, *self.task_specific]
        has_grad = [parameter.grad is not None for parameter in parameters]
        has_grad_on_any_rank = (
            self.distributed.all_reduce(torch.tensor(has_grad, dtype=torch.float32, device=parameters[0].device)) > 0
        )
        parameters_with_grad = [
            parameter
            for parameter, has_any_grad in zip(parameters, has_grad_on_any_rank.tolist(), strict=True)
            if has_any_grad
        ]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters_with_grad]
        if not grads:
            return
        flat = self.distributed.all_reduce(torch.cat([grad.reshape(-1) for grad in grads]))
        for parameter, chunk in zip(
            parameters_with_grad, torch.split(flat, [grad.numel() for grad in grads]), strict=True
        ):
            parameter.grad = chunk.view_as(parameter).clone()


def find_shared_parameters(network: MultiTaskNetwork, group_sizes: Sequence[int]) -> list[nn.Parameter]:
    """Return the parameters that the losses of several tasks depend on, in the order of the network.

    Args:
        network: The network.
        group_sizes: The number of tasks per head group.
    """
    task_specific_ids = {
        id(parameter) for task in range(sum(group_sizes)) for parameter in network.trunk.task_parameters(task)
    }
    task_specific_ids |= {id(parameter) for parameter in network.trunk.stacked_parameters()}
    for group, size in zip(network.head_groups(), group_sizes, strict=True):
        # All parameters of a module with one task are task-specific, whatever it declares.
        parameters = group.parameters() if size == 1 else group.stacked_parameters()
        task_specific_ids |= {id(parameter) for parameter in parameters}
        task_specific_ids |= {id(parameter) for task in range(size) for parameter in group.task_parameters(task)}
    return [
        parameter
        for parameter in network.parameters()
        if parameter.requires_grad and id(parameter) not in task_specific_ids
    ]


def find_last_shared_layer(network: MultiTaskNetwork, shared: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Return the shared parameters of the last module with any: of the trunk, otherwise of the heads."""
    shared_ids = {id(parameter) for parameter in shared}
    return find_last_layer(network.trunk, shared_ids) or find_last_layer(network, shared_ids)


def find_last_layer(root: nn.Module, parameters: Collection[int]) -> list[nn.Parameter]:
    """Return the parameters of the last module that contains one of some parameters; an empty list without any.

    Args:
        root: The module that is searched.
        parameters: The `id` of each of the parameters.
    """
    layers = [[p for p in module.parameters(recurse=False) if id(p) in parameters] for module in root.modules()]
    return next((layer for layer in reversed(layers) if layer), [])
