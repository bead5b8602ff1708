"""What a weighting can do with gradients in a step: one backward pass of a total, or a gradient for each task."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import nn

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.head_passes import HeadPasses, Start, add_gradient
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
        self._heads = HeadPasses(network, sizes, self.own)
        served = set(map(id, self._heads.parameters))
        self._own_before_heads = [p for p in self.own if id(p) not in served]
        self.counted: torch.Tensor | None = None
        """The losses of the batch. `backward` leaves in their `grad` what each counts in the total."""

    def backward(self, total: torch.Tensor, keep: bool = False) -> None:
        """Add the gradients of a scalar to all parameters.

        Args:
            total: The scalar; one that nothing learned went into is let pass.
            keep: Whether another backward pass through the same batch will follow.
        """
        if total.requires_grad:
            self._note_what_counts()
            self.accelerator.backward(total, retain_graph=keep)
        if not keep:
            self._heads.hear(())

    def count(self, weights: torch.Tensor) -> None:
        """Say what the first losses of the batch count in it, where gradients are weighed and not they.

        Args:
            weights: One a loss.
        """
        if self.counted is not None and self.counted.grad is not None:
            self.counted.grad[: len(weights)] = weights

    def of_each(
        self, values: torch.Tensor, parameters: Sequence[nn.Parameter], tasks: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the gradient of each loss; no parameter's `grad` is touched, and the batch can be used again.

        Args:
            values: `(losses,)`, differentiable.
            parameters: With respect to which; what a loss does not reach has a gradient of 0.
            tasks: `(losses,)`, int64: the task that each is of, if `parameters` are among the shared ones. Saves
                passes through other tasks' heads.

        Returns:
            `(losses, numbers)`: the Jacobian, a row a loss, the parameters behind each other.
        """
        starts = self._heads.starts(values, tasks, give=False) if tasks is not None else None
        rows, reached = _rows(values, parameters, starts)
        for row, start in reached:
            _fill(row, _passed(start, parameters, keep=True), parameters)
        return self.processes.sum(rows)

    def backward_each(self, values: torch.Tensor, tasks: torch.Tensor | None = None) -> torch.Tensor:
        """Add the gradients of the sum of losses to tasks' own parameters, and give those of the shared ones.

        One backward pass a loss. The graph of the batch is freed by the last of them.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task that each is of, if each is of one task. Then separate heads are
                passed once, not once a loss.

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
            gradient: `(numbers,)`, in the order of `shared`: what was made of the Jacobian.
        """
        # What is reduced over the processes afterwards must not be counted once for each of them.
        if self.processes.count > 1:
            gradient = gradient / self.processes.count
        sizes = [parameter.numel() for parameter in self.shared]
        for parameter, part in zip(self.shared, torch.split(gradient, sizes), strict=True):
            add_gradient(parameter, part.view_as(parameter))

    def _note_what_counts(self) -> None:
        """Not before the step: looking at the gradient of a single loss would be counted as well."""
        if self.counted is not None and self.counted.requires_grad:
            self.counted.retain_grad()

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


def _rows(
    values: torch.Tensor, parameters: Sequence[nn.Parameter], starts: Sequence[Start | None] | None
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, Start]]]:
    """Make a row a loss, and give those that are to be filled, each with where its loss starts from."""
    if starts is None:  # from the losses themselves
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
    """Write gradients behind each other; what is not reached has one of zeros."""
    parts = torch.split(row, [parameter.numel() for parameter in parameters])
    for part, gradient in zip(parts, gradients, strict=True):
        if gradient is None:
            part.zero_()
        else:
            part.copy_(gradient.reshape(-1))
