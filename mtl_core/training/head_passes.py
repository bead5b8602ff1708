"""Backward through the heads with all losses at once, so that they need to part only from there on."""

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
    """Where a loss is passed backward from.

    Attributes:
        tensor: Something that it depends on.
        slope: Its gradient there, of the same shape.
    """

    tensor: torch.Tensor
    slope: torch.Tensor


class HeadPasses:
    """Passes losses backward to where the ways of the tasks part.

    A loss reaches the network through the outputs of its own task alone. Autograd does not know that: to it, each
    loss is a function of all tasks' outputs, and the passes of n losses go through n heads each, through all but
    one of them with zeros. So the way is cut where heads speak and where separate heads read.

    Args:
        network: The network. What its heads say is noted in every forward pass with gradients.
        sizes: Tasks in each of its groups.
        own: Parameters that belong to single tasks.

    Attributes:
        parameters: Those of `own` that get their gradient here.
    """

    def __init__(self, network: MultiTaskNetwork, sizes: Sequence[int], own: Sequence[nn.Parameter]) -> None:
        known = {id(parameter) for parameter in own}
        # A module of one task that does not say what it reads is passed once anyway, later.
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
        """Take note of what heads say in a forward pass; an empty list forgets the last one."""
        self._said = said

    def starts(self, values: torch.Tensor, tasks: torch.Tensor, give: bool) -> list[Start | None] | None:
        """Go through the heads, and say from where each loss is to be passed on.

        Args:
            values: `(losses,)`, of the last forward pass.
            tasks: `(losses,)`, int64: the one task that each is of.
            give: Whether to add the gradients of the sum of losses to `parameters`, and free what is passed.

        Returns:
            One a loss; None for one that depends on nothing further. None instead of the list, and nothing done, if
            the losses are not of the last forward pass.
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
        """Go through a group: to what separate heads have read, or no further than its parameters."""
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
    """The gradient at the outputs of one task alone."""
    alone = torch.zeros_like(slope)
    alone[:, column] = slope[:, column]
    return alone


def _tell_forward_passes(network: MultiTaskNetwork, passes: "weakref.ref[HeadPasses]") -> None:
    """Tell of every forward pass with gradients, as long as anybody listens."""

    def tell(_: nn.Module, __: Any, said: Sequence[HeadOutput | None]) -> None:
        listener = passes()
        if listener is None:
            handle.remove()
        elif torch.is_grad_enabled():
            listener.hear(said)

    handle = network.register_forward_hook(tell)


def add_gradient(parameter: nn.Parameter, gradient: torch.Tensor | None) -> None:
    """Add to a parameter's gradient, if there is anything to add."""
    if gradient is not None:
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
