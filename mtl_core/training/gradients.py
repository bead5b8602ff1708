"""What a weighting can do with gradients in a step: one backward pass of a total, or a gradient for each task."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import nn

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.processes import ALONE, Processes


class StepGradients:
    """Gives the network's parameters their gradients.

    Parameters are *shared* if the losses of several tasks reach them, and tasks' *own* otherwise: heads, features
    that an architecture computes for one task, and the rows of parameters that a group of heads stacks by task. For
    own ones there is nothing to balance: their gradient is that of the sum of the tasks' losses.

    Args:
        accelerator: Devices, precision, backward.
        network: The network.
        sizes: Tasks in each of its groups.
        processes: Who else computes; everything given here is that of the whole batch.
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
        """Parameters that several tasks' losses reach."""
        self.last_shared = last_layer(network, shared)
        """Those of the last layer among them: the one nearest to the heads."""
        self.own = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
        """Parameters that belong to single tasks."""

    def backward(self, total: torch.Tensor, keep: bool = False) -> None:
        """Add the gradients of a scalar to all parameters.

        Args:
            total: The scalar; one that nothing learned went into is let pass.
            keep: Whether another backward pass through the same batch will follow.
        """
        if total.requires_grad:
            self.accelerator.backward(total, retain_graph=keep)

    def of_each(self, values: torch.Tensor, parameters: Sequence[nn.Parameter]) -> torch.Tensor:
        """Compute the gradient of each loss; no parameter's `grad` is touched, and the batch can be used again.

        Args:
            values: `(losses,)`, differentiable.
            parameters: With respect to which; what a loss does not reach has a gradient of 0.

        Returns:
            `(losses, numbers)`: the Jacobian, a row a loss, the parameters behind each other.
        """
        width = sum(parameter.numel() for parameter in parameters)
        rows = values.new_zeros((len(values), width))
        for row, value in zip(rows, values, strict=True):
            if value.requires_grad:
                found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
                _fill(row, found, parameters)
        return self.processes.sum(rows)

    def backward_each(self, values: torch.Tensor) -> torch.Tensor:
        """Add the gradients of the sum of losses to tasks' own parameters, and give those of the shared ones.

        One backward pass a loss. The graph of the batch is freed by the last of them.

        Args:
            values: `(losses,)`, differentiable.

        Returns:
            `(losses, numbers)`: the Jacobian of the shared parameters, for `give_shared`.
        """
        width = sum(parameter.numel() for parameter in self.shared)
        rows = values.new_zeros((len(values), width))
        wanted = [*self.shared, *self.own]
        reached = [value for value in values.unbind() if value.requires_grad]
        for place, value in enumerate(reached):
            again = place < len(reached) - 1
            found = torch.autograd.grad(value, wanted, retain_graph=again, allow_unused=True)
            _fill(rows[place], found[: len(self.shared)], self.shared)
            for parameter, gradient in zip(self.own, found[len(self.shared) :], strict=True):
                _add(parameter, gradient)
        return self.processes.sum(rows)

    def give_shared(self, gradient: torch.Tensor) -> None:
        """Add a gradient to the shared parameters.

        Args:
            gradient: `(numbers,)`, in the order of `shared`: what was made of the Jacobian.
        """
        # What is reduced over the processes afterwards must not be counted once for each of them.
        gradient = gradient / self.processes.count
        sizes = [parameter.numel() for parameter in self.shared]
        for parameter, part in zip(self.shared, torch.split(gradient, sizes), strict=True):
            _add(parameter, part.view_as(parameter))

    def reduce(self) -> None:
        """Add up over processes what each gave its parameters. Who has no gradient anywhere keeps none."""
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
    """Give the parameters that more than one task's loss may reach, in the network's order.

    Args:
        network: The network.
        sizes: Tasks in each of its groups.
    """
    own = {id(parameter) for task in range(sum(sizes)) for parameter in network.body.task_parameters(task)}
    for group, size in zip(network.head_groups(), sizes, strict=True):
        # A module of one task belongs to it, whatever it says of itself.
        belongs = group.parameters() if size == 1 else group.stacked_parameters()
        own |= {id(parameter) for parameter in belongs}
        own |= {id(parameter) for task in range(size) for parameter in group.task_parameters(task)}
    return [parameter for parameter in network.parameters() if parameter.requires_grad and id(parameter) not in own]


def last_layer(network: MultiTaskNetwork, shared: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Give the shared parameters of the last module that holds any: of the body, or of heads if it has none."""
    known = {id(parameter) for parameter in shared}
    for room in (network.body, network):
        layers = [[p for p in module.parameters(recurse=False) if id(p) in known] for module in room.modules()]
        found = [layer for layer in layers if layer]
        if found:
            return found[-1]
    return []


def _fill(row: torch.Tensor, gradients: Sequence[torch.Tensor | None], parameters: Sequence[nn.Parameter]) -> None:
    """Write gradients behind each other into a row of zeros."""
    start = 0
    for gradient, parameter in zip(gradients, parameters, strict=True):
        if gradient is not None:
            row[start : start + parameter.numel()] = gradient.reshape(-1)
        start += parameter.numel()


def _add(parameter: nn.Parameter, gradient: torch.Tensor | None) -> None:
    if gradient is not None:
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
