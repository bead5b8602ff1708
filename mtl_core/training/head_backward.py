"""Backward pass of all losses through the heads in one call, to the point where per-task passes start."""

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.nn.heads import HeadOutput, SeparateHeads
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.task_gradients import BackwardStart, accumulate_grad


class HeadBackward:
    """Computes the backward pass of losses through the heads.

    A loss depends on the network only through the outputs of its task. Autograd cannot exploit this: for autograd,
    each loss is a function of the outputs of all tasks, and each of n backward passes visits n heads, n - 1 of them
    with zero gradients. Therefore the backward pass is split at the outputs of heads and at the inputs of separate
    heads.

    Args:
        network: The network. A hook records the outputs of its heads in every forward pass with gradients.
        group_sizes: The number of tasks per head group.
        task_specific: The task-specific parameters.

    Attributes:
        parameters: The parameters in `task_specific` whose gradients this class computes.
    """

    def __init__(
        self, network: MultiTaskNetwork, group_sizes: Sequence[int], task_specific: Sequence[torch.Tensor]
    ) -> None:
        task_specific_ids = {id(parameter) for parameter in task_specific}
        # A module of one task that does not report its inputs is visited once anyway, in the later pass.
        self._task_specific = [
            [p for p in group.parameters() if id(p) in task_specific_ids]
            if size > 1 or isinstance(group, SeparateHeads)
            else []
            for group, size in zip(network.head_groups(), group_sizes, strict=True)
        ]
        self.parameters = [parameter for parameters in self._task_specific for parameter in parameters]
        self._group_columns = [
            (group_index, column) for group_index, size in enumerate(group_sizes) for column in range(size)
        ]
        self._outputs: Sequence[HeadOutput | None] = ()
        _register_output_hook(network, weakref.ref(self))

    def record_outputs(self, outputs: Sequence[HeadOutput | None]) -> None:
        """Record the outputs of the heads in a forward pass; an empty sequence clears the record."""
        self._outputs = outputs

    def backward_heads(
        self, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
    ) -> list[BackwardStart | None] | None:
        """Compute the backward pass through the heads, and return where the pass of each loss continues.

        Args:
            values: `(losses,)`, the losses of the last forward pass.
            tasks: `(losses,)`, int64: the task of each loss.
            accumulate: Whether to add the gradients of the sum of losses to `parameters` and free the heads' graph.

        Returns:
            One element per loss; None for a loss that depends on nothing else. None instead of the list, without
            any effect, if the losses do not belong to the last forward pass.
        """
        head_outputs = {
            group_index: head_output for group_index, head_output in enumerate(self._outputs) if head_output is not None
        }
        if not head_outputs or not values.requires_grad:
            return None
        outputs = [head_output.outputs for head_output in head_outputs.values()]
        gradients = torch.autograd.grad(values, outputs, torch.ones_like(values), retain_graph=True, allow_unused=True)
        grad_outputs = {
            group_index: grad_output
            for group_index, grad_output in zip(head_outputs, gradients, strict=True)
            if grad_output is not None
        }
        group_columns = [self._group_columns[task] for task in tasks.tolist()]
        if any(group_index in head_outputs and group_index not in grad_outputs for group_index, _ in group_columns):
            return None
        starts: dict[tuple[int, int], BackwardStart] = {}
        for group_index, grad_output in grad_outputs.items():
            columns = [column for key, column in group_columns if key == group_index]
            for column, start in self._backward_group(
                group_index, head_outputs[group_index], grad_output, columns, accumulate
            ).items():
                starts[group_index, column] = start
        return [starts.get(key) for key in group_columns]

    def _backward_group(
        self,
        group_index: int,
        head_output: HeadOutput,
        grad_output: torch.Tensor,
        columns: Sequence[int],
        accumulate: bool,
    ) -> dict[int, BackwardStart]:
        """Compute the backward pass through a head group, to the inputs of separate heads or to parameters."""
        task_specific = self._task_specific[group_index] if accumulate else []
        head_inputs = {c: head_output.head_inputs[c] for c in columns} if head_output.head_inputs else {}
        differentiable_inputs = {
            column: head_input
            for column, head_input in head_inputs.items()
            if head_input is not None and head_input.requires_grad
        }
        gradients: Sequence[torch.Tensor | None] = ()
        if task_specific or differentiable_inputs:
            retain_graph = not accumulate or not head_output.head_inputs
            grad_inputs = [*task_specific, *differentiable_inputs.values()]
            gradients = torch.autograd.grad(
                head_output.outputs, grad_inputs, grad_output, retain_graph=retain_graph, allow_unused=True
            )
        for parameter, gradient in zip(task_specific, gradients, strict=False):
            accumulate_grad(parameter, gradient)
        if not head_output.head_inputs:
            return {column: BackwardStart(head_output.outputs, _select_task(grad_output, column)) for column in columns}
        input_gradients = zip(differentiable_inputs.items(), gradients[len(task_specific) :], strict=True)
        return {
            column: BackwardStart(head_input, gradient)
            for (column, head_input), gradient in input_gradients
            if gradient is not None
        }


def _select_task(grad_output: torch.Tensor, column: int) -> torch.Tensor:
    """Return the gradient with respect to the outputs of one task, with zeros for the other tasks."""
    selected = torch.zeros_like(grad_output)
    selected[:, column] = grad_output[:, column]
    return selected


def _register_output_hook(network: MultiTaskNetwork, head_backward_ref: "weakref.ref[HeadBackward]") -> None:
    """Record the outputs of every forward pass with gradients while the `HeadBackward` object exists."""

    def record(_: nn.Module, __: Any, outputs: Sequence[HeadOutput | None]) -> None:
        head_backward = head_backward_ref()
        if head_backward is None:
            handle.remove()
        elif torch.is_grad_enabled():
            head_backward.record_outputs(outputs)

    handle = network.register_forward_hook(record)
