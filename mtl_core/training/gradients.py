"""Gradients of a step for weightings: one backward pass of a total loss, or one gradient per task."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import nn

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.head_passes import HeadPasses, Start, add_gradient
from mtl_core.training.processes import ALONE, Processes


class StepGradients:
    """Computes the gradients of the network's parameters.

    Parameters are *shared* if the losses of several tasks depend on them, and *task-specific* otherwise: heads,
    layers that an architecture adds for one task, and parameters that a head group stacks by task. Task-specific
    parameters need no balancing: their gradient is the gradient of the sum of the task losses.

    Args:
        accelerator: Devices, precision, backward.
        network: The network.
        sizes: The number of tasks per head group.
        processes: World size and rank of the training; gradients are reduced to those of the whole batch.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        network: MultiTaskNetwork,
        sizes: Sequence[int],
        processes: Processes = ALONE,
    ) -> None:
        self.accelerator = accelerator
        self.processes = processes
        shared = shared_parameters(network, sizes)
        known = set(map(id, shared))
        self.shared = shared
        """The shared parameters, in the order of the network."""
        self.last_shared = last_layer(network, shared)
        """The shared parameters of the last shared layer."""
        self.own = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
        """The task-specific parameters."""
        self._heads = HeadPasses(network, sizes, self.own)
        served = set(map(id, self._heads.parameters))
        self._own_before_heads = [p for p in self.own if id(p) not in served]
        self.counted: torch.Tensor | None = None
        """The losses of the batch; `backward` stores the weight of each loss in the total in its `grad`."""

    def backward(self, total: torch.Tensor, keep: bool = False) -> None:
        """Add the gradients of a scalar to all parameters.

        Args:
            total: The scalar; ignored if it does not require gradients.
            keep: Whether to keep the graph for another backward pass.
        """
        if total.requires_grad:
            self._note_what_counts()
            self.accelerator.backward(total, retain_graph=keep)
        if not keep:
            self._heads.hear(())

    def count(self, weights: torch.Tensor) -> None:
        """Record the weights of the first losses of the batch, for weightings that combine gradients.

        Args:
            weights: `(n,)`, one weight per loss.
        """
        if self.counted is not None and self.counted.grad is not None:
            self.counted.grad[: len(weights)] = weights

    def of_each(
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
        starts = self._heads.starts(values, tasks, give=False) if tasks is not None else None
        rows, reached = _rows(values, parameters, starts)
        for row, start in reached:
            _fill(row, _passed(start, parameters, keep=True), parameters)
        return self.processes.sum(rows)

    def backward_each(self, values: torch.Tensor, tasks: torch.Tensor | None = None) -> torch.Tensor:
        """Add the gradients of the sum of losses to task-specific parameters, and return the shared Jacobian.

        Runs one backward pass per loss. The last pass frees the graph of the batch.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task of each loss, if each loss belongs to one task. The backward pass
                then visits each separate head once instead of once per loss.

        Returns:
            `(losses, numbers)`: the Jacobian of the shared parameters, for `give_shared`.
        """
        self._note_what_counts()
        starts = self._heads.starts(values, tasks, give=True) if tasks is not None else None
        own = self.own if starts is None else self._own_before_heads
        rows, reached = _rows(values, self.shared, starts)
        for place, (row, start) in enumerate(reached):
            found = _passed(start, [*self.shared, *own], keep=place < len(reached) - 1)
            _fill(row, found[: len(self.shared)], self.shared)
            for parameter, gradient in zip(own, found[len(self.shared) :], strict=True):
                add_gradient(parameter, gradient)
        self._heads.hear(())
        return self.processes.sum(rows)

    def give_shared(self, gradient: torch.Tensor) -> None:
        """Add a gradient to the shared parameters.

        Args:
            gradient: `(numbers,)`: the concatenated gradients, in the order of `shared`.
        """
        # `reduce` sums over the ranks afterwards.
        if self.processes.count > 1:
            gradient = gradient / self.processes.count
        sizes = [parameter.numel() for parameter in self.shared]
        for parameter, part in zip(self.shared, torch.split(gradient, sizes), strict=True):
            add_gradient(parameter, part.view_as(parameter))

    def _note_what_counts(self) -> None:
        """Retain the gradient of the losses. Not earlier: the gradients of single losses would be added to it."""
        if self.counted is not None and self.counted.requires_grad:
            self.counted.retain_grad()

    def reduce(self) -> None:
        """Sum gradients over all ranks. A parameter without a gradient on every rank keeps None."""
        if self.processes.count == 1:
            return
        parameters = [*self.shared, *self.own]
        held = [parameter.grad is not None for parameter in parameters]
        anywhere = self.processes.sum(torch.tensor(held, dtype=torch.float32, device=parameters[0].device)) > 0
        reached = [parameter for parameter, any_ in zip(parameters, anywhere.tolist(), strict=True) if any_]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in reached]
        if not grads:
            return
        flat = self.processes.sum(torch.cat([grad.reshape(-1) for grad in grads]))
        for parameter, part in zip(reached, torch.split(flat, [grad.numel() for grad in grads]), strict=True):
            parameter.grad = part.view_as(parameter).clone()


def shared_parameters(network: MultiTaskNetwork, sizes: Sequence[int]) -> list[nn.Parameter]:
    """Return the parameters that the losses of several tasks depend on, in the order of the network.

    Args:
        network: The network.
        sizes: The number of tasks per head group.
    """
    own = {id(parameter) for task in range(sum(sizes)) for parameter in network.body.task_parameters(task)}
    for group, size in zip(network.head_groups(), sizes, strict=True):
        # All parameters of a module with one task are task-specific, whatever it declares.
        belongs = group.parameters() if size == 1 else group.stacked_parameters()
        own |= {id(parameter) for parameter in belongs}
        own |= {id(parameter) for task in range(size) for parameter in group.task_parameters(task)}
    return [parameter for parameter in network.parameters() if parameter.requires_grad and id(parameter) not in own]


def last_layer(network: MultiTaskNetwork, shared: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Return the shared parameters of the last module with any: of the trunk, otherwise of the heads."""
    known = {id(parameter) for parameter in shared}
    for room in (network.body, network):
        layers = [[p for p in module.parameters(recurse=False) if id(p) in known] for module in room.modules()]
        found = [layer for layer in layers if layer]
        if found:
            return found[-1]
    return []


def _rows(
    values: torch.Tensor, parameters: Sequence[nn.Parameter], starts: Sequence[Start | None] | None
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, Start]]]:
    """Allocate one row per loss, and return the rows to fill, each with the start of its backward pass."""
    if starts is None:  # start at the losses
        starts = [
            Start(value, torch.ones_like(value)) if value.requires_grad else None for value in values.unbind()
        ]
    rows = values.new_empty((len(values), sum(parameter.numel() for parameter in parameters)))
    for row, start in zip(rows, starts, strict=True):
        if start is None:
            row.zero_()
    return rows, [(row, start) for row, start in zip(rows, starts, strict=True) if start is not None]


def _passed(start: Start, parameters: Sequence[nn.Parameter], keep: bool) -> Sequence[torch.Tensor | None]:
    if not parameters:
        return ()
    return torch.autograd.grad(start.tensor, parameters, start.slope, retain_graph=keep, allow_unused=True)


def _fill(row: torch.Tensor, gradients: Sequence[torch.Tensor | None], parameters: Sequence[nn.Parameter]) -> None:
    """Write concatenated gradients into a row; zeros for None."""
    parts = torch.split(row, [parameter.numel() for parameter in parameters])
    for part, gradient in zip(parts, gradients, strict=True):
        if gradient is None:
            part.zero_()
        else:
            part.copy_(gradient.reshape(-1))
