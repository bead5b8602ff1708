"""Backward pass of all losses through the heads in one call, to the point where per-task passes start."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtl_core.model.heads import HeadOutput, SeparateHeads
from mtl_core.model.network import MultiTaskNetwork


@dataclass(frozen=True)
class Start:
    """The start of the backward pass of a loss.

    Attributes:
        tensor: A tensor that the loss depends on.
        slope: The gradient of the loss with respect to `tensor`, of the same shape.
    """

    tensor: torch.Tensor
    slope: torch.Tensor


class HeadPasses:
    """Computes the backward pass of losses through the heads.

    A loss depends on the network only through the outputs of its task. Autograd cannot exploit this: for autograd,
    each loss is a function of the outputs of all tasks, and each of n backward passes visits n heads, n - 1 of them
    with zero gradients. Therefore the backward pass is split at the outputs of heads and at the inputs of separate
    heads.

    Args:
        network: The network. A hook records the outputs of its heads in every forward pass with gradients.
        sizes: The number of tasks per head group.
        own: The task-specific parameters.

    Attributes:
        parameters: The parameters in `own` whose gradients this class computes.
    """

    def __init__(self, network: MultiTaskNetwork, sizes: Sequence[int], own: Sequence[nn.Parameter]) -> None:
        known = {id(parameter) for parameter in own}
        # A module of one task that does not report its inputs is visited once anyway, in the later pass.
        self._own = [
            [p for p in group.parameters() if id(p) in known]
            if size > 1 or isinstance(group, SeparateHeads)
            else []
            for group, size in zip(network.head_groups(), sizes, strict=True)
        ]
        self.parameters = [parameter for parameters in self._own for parameter in parameters]
        self._homes = [(place, column) for place, size in enumerate(sizes) for column in range(size)]
        self._said: Sequence[HeadOutput | None] = ()
        _tell_forward_passes(network, weakref.ref(self))

    def hear(self, said: Sequence[HeadOutput | None]) -> None:
        """Record the outputs of the heads in a forward pass; an empty sequence clears the record."""
        self._said = said

    def starts(self, values: torch.Tensor, tasks: torch.Tensor, give: bool) -> list[Start | None] | None:
        """Compute the backward pass through the heads, and return where the pass of each loss continues.

        Args:
            values: `(losses,)`, the losses of the last forward pass.
            tasks: `(losses,)`, int64: the task of each loss.
            give: Whether to add the gradients of the sum of losses to `parameters` and free the heads' graph.

        Returns:
            One element per loss; None for a loss that depends on nothing else. None instead of the list, without
            any effect, if the losses do not belong to the last forward pass.
        """
        said = {place: one for place, one in enumerate(self._said) if one is not None}
        if not said or not values.requires_grad:
            return None
        outputs = [one.outputs for one in said.values()]
        found = torch.autograd.grad(values, outputs, torch.ones_like(values), retain_graph=True, allow_unused=True)
        slopes = {place: slope for place, slope in zip(said, found, strict=True) if slope is not None}
        homes = [self._homes[task] for task in tasks.tolist()]
        if any(place in said and place not in slopes for place, _ in homes):
            return None
        starts: dict[tuple[int, int], Start] = {}
        for place, slope in slopes.items():
            columns = [column for home, column in homes if home == place]
            for column, start in self._pass(place, said[place], slope, columns, give).items():
                starts[place, column] = start
        return [starts.get(home) for home in homes]

    def _pass(
        self, place: int, said: HeadOutput, slope: torch.Tensor, columns: Sequence[int], give: bool
    ) -> dict[int, Start]:
        """Compute the backward pass through a head group, to the inputs of separate heads or to parameters."""
        own = self._own[place] if give else []
        read = {c: said.read[c] for c in columns} if said.read else {}
        learned = {column: one for column, one in read.items() if one is not None and one.requires_grad}
        arrived: Sequence[torch.Tensor | None] = ()
        if own or learned:
            keep = not give or not said.read
            reached = [*own, *learned.values()]
            arrived = torch.autograd.grad(said.outputs, reached, slope, retain_graph=keep, allow_unused=True)
        for parameter, gradient in zip(own, arrived, strict=False):
            add_gradient(parameter, gradient)
        if not said.read:
            return {column: Start(said.outputs, _only(slope, column)) for column in columns}
        ends = zip(learned.items(), arrived[len(own) :], strict=True)
        return {column: Start(one, gradient) for (column, one), gradient in ends if gradient is not None}


def _only(slope: torch.Tensor, column: int) -> torch.Tensor:
    """Return the gradient with respect to the outputs of one task, with zeros for the other tasks."""
    alone = torch.zeros_like(slope)
    alone[:, column] = slope[:, column]
    return alone


def _tell_forward_passes(network: MultiTaskNetwork, passes: "weakref.ref[HeadPasses]") -> None:
    """Record the outputs of every forward pass with gradients while the `HeadPasses` object exists."""

    def tell(_: nn.Module, __: Any, said: Sequence[HeadOutput | None]) -> None:
        listener = passes()
        if listener is None:
            handle.remove()
        elif torch.is_grad_enabled():
            listener.hear(said)

    handle = network.register_forward_hook(tell)


def add_gradient(parameter: nn.Parameter, gradient: torch.Tensor | None) -> None:
    """Add a gradient to `parameter.grad`; do nothing for None."""
    if gradient is not None:
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
