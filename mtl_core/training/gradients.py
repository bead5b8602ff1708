"""Gradients of a step for weightings: one backward pass of a total loss, or one gradient per task."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import nn

from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.distributed import SINGLE_PROCESS, DistributedContext
from mtl_core.training.head_backward import BackwardStart, HeadBackward, accumulate_grad


class StepGradients:
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
        self.distributed = distributed
        shared = find_shared_parameters(network, group_sizes)
        shared_ids = set(map(id, shared))
        self.shared = shared
        """The shared parameters, in the order of the network."""
        self.last_shared_layer = find_last_shared_layer(network, shared)
        """The shared parameters of the last shared layer."""
        self.task_specific = [p for p in network.parameters() if p.requires_grad and id(p) not in shared_ids]
        """The task-specific parameters."""
        self._head_backward = HeadBackward(network, group_sizes, self.task_specific)
        head_ids = set(map(id, self._head_backward.parameters))
        self._task_specific_before_heads = [p for p in self.task_specific if id(p) not in head_ids]
        self.loss_weights: torch.Tensor | None = None
        """The losses of the batch; `backward` stores the weight of each loss in the total in its `grad`."""

    def backward(self, total: torch.Tensor, retain_graph: bool = False) -> None:
        """Add the gradients of a scalar to all parameters.

        Args:
            total: The scalar; ignored if it does not require gradients.
            retain_graph: Whether to keep the graph for another backward pass.
        """
        if total.requires_grad:
            self._retain_loss_weights()
            self.accelerator.backward(total, retain_graph=retain_graph)
        if not retain_graph:
            self._head_backward.record_outputs(())

    def set_loss_weights(self, weights: torch.Tensor) -> None:
        """Record the weights of the first losses of the batch, for weightings that combine gradients.

        Args:
            weights: `(n,)`, one weight per loss.
        """
        if self.loss_weights is not None and self.loss_weights.grad is not None:
            self.loss_weights.grad[: len(weights)] = weights

    def jacobian(
        self, values: torch.Tensor, parameters: Sequence[nn.Parameter], tasks: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the Jacobian of losses; no `grad` of a parameter changes, and the graph is kept.

        Args:
            values: `(losses,)`, differentiable.
            parameters: The parameters; the gradient of parameters that a loss does not depend on is 0.
            tasks: `(losses,)`, int64: the task of each loss, if all `parameters` are shared. Avoids backward passes
                through the heads of other tasks.

        Returns:
            `(losses, numbers)`: the Jacobian, one row per loss with the concatenated gradients of the parameters.
        """
        starts = self._head_backward.backward_heads(values, tasks, accumulate=False) if tasks is not None else None
        rows, rows_to_fill = _allocate_rows(values, parameters, starts)
        for row, start in rows_to_fill:
            _fill_row(row, _compute_gradients(start, parameters, retain_graph=True), parameters)
        return self.distributed.all_reduce(rows)

    def backward_each(self, values: torch.Tensor, tasks: torch.Tensor | None = None) -> torch.Tensor:
        """Add the gradients of the sum of losses to task-specific parameters, and return the shared Jacobian.

        Runs one backward pass per loss. The last pass frees the graph of the batch.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task of each loss, if each loss belongs to one task. The backward pass
                then visits each separate head once instead of once per loss.

        Returns:
            `(losses, numbers)`: the Jacobian of the shared parameters, for `accumulate_shared_grad`.
        """
        self._retain_loss_weights()
        starts = self._head_backward.backward_heads(values, tasks, accumulate=True) if tasks is not None else None
        task_specific = self.task_specific if starts is None else self._task_specific_before_heads
        rows, rows_to_fill = _allocate_rows(values, self.shared, starts)
        for index, (row, start) in enumerate(rows_to_fill):
            gradients = _compute_gradients(
                start, [*self.shared, *task_specific], retain_graph=index < len(rows_to_fill) - 1
            )
            _fill_row(row, gradients[: len(self.shared)], self.shared)
            for parameter, gradient in zip(task_specific, gradients[len(self.shared) :], strict=True):
                accumulate_grad(parameter, gradient)
        self._head_backward.record_outputs(())
        return self.distributed.all_reduce(rows)

    def accumulate_shared_grad(self, gradient: torch.Tensor) -> None:
        """Add a gradient to the shared parameters.

        Args:
            gradient: `(numbers,)`: the concatenated gradients, in the order of `shared`.
        """
        # `reduce` sums over the ranks afterwards.
        if self.distributed.world_size > 1:
            gradient = gradient / self.distributed.world_size
        sizes = [parameter.numel() for parameter in self.shared]
        for parameter, chunk in zip(self.shared, torch.split(gradient, sizes), strict=True):
            accumulate_grad(parameter, chunk.view_as(parameter))

    def _retain_loss_weights(self) -> None:
        """Retain the gradient of the losses. Not earlier: the gradients of single losses would be added to it."""
        if self.loss_weights is not None and self.loss_weights.requires_grad:
            self.loss_weights.retain_grad()

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
    for root in (network.trunk, network):
        layers = [[p for p in module.parameters(recurse=False) if id(p) in shared_ids] for module in root.modules()]
        non_empty_layers = [layer for layer in layers if layer]
        if non_empty_layers:
            return non_empty_layers[-1]
    return []


def _allocate_rows(
    values: torch.Tensor, parameters: Sequence[nn.Parameter], starts: Sequence[BackwardStart | None] | None
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, BackwardStart]]]:
    """Allocate one row per loss, and return the rows to fill, each with the start of its backward pass."""
    if starts is None:  # start at the losses
        starts = [
            BackwardStart(value, torch.ones_like(value)) if value.requires_grad else None for value in values.unbind()
        ]
    rows = values.new_empty((len(values), sum(parameter.numel() for parameter in parameters)))
    for row, start in zip(rows, starts, strict=True):
        if start is None:
            row.zero_()
    return rows, [(row, start) for row, start in zip(rows, starts, strict=True) if start is not None]


def _compute_gradients(
    start: BackwardStart, parameters: Sequence[nn.Parameter], retain_graph: bool
) -> Sequence[torch.Tensor | None]:
    if not parameters:
        return ()
    return torch.autograd.grad(
        start.tensor, parameters, start.grad_output, retain_graph=retain_graph, allow_unused=True
    )


def _fill_row(row: torch.Tensor, gradients: Sequence[torch.Tensor | None], parameters: Sequence[nn.Parameter]) -> None:
    """Write concatenated gradients into a row; zeros for None."""
    chunks = torch.split(row, [parameter.numel() for parameter in parameters])
    for chunk, gradient in zip(chunks, gradients, strict=True):
        if gradient is None:
            chunk.zero_()
        else:
            chunk.copy_(gradient.reshape(-1))
