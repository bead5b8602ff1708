"""Gradients of losses of any module, with the shared parameters found in the autograd graph."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.training.gradients import find_last_layer
from mtl_core.training.graph_parameters import find_layer_nearest_to, find_leaves
from mtl_core.training.named_losses import NamedLosses
from mtl_core.training.task_gradients import BackwardStart, TaskGradients

SharedParameters = nn.Module | Iterable[torch.Tensor]
"""The module that all tasks share, or its parameters."""


class GraphGradients(TaskGradients):
    """Computes the gradients of losses of any module.

    Args:
        losses: The losses of a batch.
        tasks: The names of all tasks, in the order of the weighting.
        shared: The shared parameters. By default, the parameters that the outputs of two tasks or more depend on.

    Raises:
        MtlError: If `shared` contains no parameter.
    """

    def __init__(self, losses: NamedLosses, tasks: Sequence[str], shared: SharedParameters | None = None) -> None:
        self._losses = {tasks.index(name): value for name, value in losses.items()}
        leaves: dict[int, torch.Tensor] = {}
        n_tasks: Counter[int] = Counter()
        for outputs in losses.outputs.values():
            task_leaves = find_leaves(outputs)
            leaves |= task_leaves
            n_tasks.update(task_leaves.keys())
        if shared is None:
            # Nearest to the outputs last, as in a module. Leaves that are no parameters are inputs of the module.
            parameters = [leaf for leaf in reversed(leaves.values()) if n_tasks[id(leaf)] > 1]
            parameters = [parameter for parameter in parameters if isinstance(parameter, nn.Parameter)]
        else:
            parameters = list_shared_parameters(shared)
        shared_ids = set(map(id, parameters))
        if isinstance(shared, nn.Module):
            last_layer: Sequence[torch.Tensor] = find_last_layer(shared, shared_ids)
        else:
            last_layer = find_layer_nearest_to(list(losses.outputs.values()), shared_ids)
        super().__init__(parameters, [leaf for key, leaf in leaves.items() if key not in shared_ids], last_layer)

    def _find_starts(
        self, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
    ) -> Sequence[BackwardStart | None] | None:
        """Start at the loss of each task: a pass that starts at `values` would visit the heads of all tasks."""
        losses = {task: loss for task in tasks.tolist() if (loss := self._losses[task]).requires_grad}
        gradients = torch.autograd.grad(values, [*losses.values()], torch.ones_like(values), retain_graph=True)
        starts = {task: BackwardStart(losses[task], gradient) for task, gradient in zip(losses, gradients, strict=True)}
        return [starts.get(task) for task in tasks.tolist()]


def list_shared_parameters(shared: SharedParameters) -> list[torch.Tensor]:
    """Return the trainable parameters of a module, or of an iterable of parameters.

    Raises:
        MtlError: If there is none, or an element is no tensor.
    """
    parameters: list[object] = list(shared.parameters() if isinstance(shared, nn.Module) else shared)
    invalid = next((value for value in parameters if not isinstance(value, torch.Tensor)), None)
    if invalid is not None:
        raise MtlError(f"shared: expected a module or its parameters, found a {type(invalid).__name__} among them")
    trainable = [value for value in parameters if isinstance(value, torch.Tensor) and value.requires_grad]
    if not trainable:
        raise MtlError("shared: expected the parameters that the tasks share, found none that requires gradients")
    return trainable
