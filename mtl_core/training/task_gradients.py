"""Gradients of single losses with respect to shared parameters, and of their sum with respect to the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mtl_core.errors import MtlError
from mtl_core.training.distributed import SINGLE_PROCESS, DistributedContext


@dataclass(frozen=True)
class BackwardStart:
    """The start of the backward pass of a loss.

    Attributes:
        tensor: A tensor that the loss depends on.
        grad_output: The gradient of the loss with respect to `tensor`, of the same shape.
    """

    tensor: torch.Tensor
    grad_output: torch.Tensor


class TaskGradients:
    """Computes the gradients of the losses of a step for weightings.

    Parameters are *shared* if the losses of several tasks depend on them, and *task-specific* otherwise. Task-specific
    parameters need no balancing: their gradient is the gradient of the sum of the task losses.

    Args:
        shared: The shared parameters.
        task_specific: The task-specific parameters.
        last_shared_layer: The shared parameters of the last shared layer.
        distributed: World size and rank of the training; Jacobians are reduced to those of the whole batch.
    """

    def __init__(
        self,
        shared: Sequence[torch.Tensor],
        task_specific: Sequence[torch.Tensor],
        last_shared_layer: Sequence[torch.Tensor],
        distributed: DistributedContext = SINGLE_PROCESS,
    ) -> None:
        self.shared = list(shared)
        """The shared parameters; their order is that of the columns of a Jacobian."""
        self.task_specific = list(task_specific)
        """The task-specific parameters."""
        self.last_shared_layer = list(last_shared_layer)
        """The shared parameters of the last shared layer."""
        self.distributed = distributed
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
            self._run_backward(total, retain_graph)
        if not retain_graph:
            self._release_starts()

    def set_loss_weights(self, weights: torch.Tensor) -> None:
        """Record the weights of the first losses of the batch, for weightings that combine gradients.

        Args:
            weights: `(n,)`, one weight per loss.
        """
        if self.loss_weights is not None and self.loss_weights.grad is not None:
            self.loss_weights.grad[: len(weights)] = weights

    def jacobian(
        self, values: torch.Tensor, parameters: Sequence[torch.Tensor], tasks: torch.Tensor | None = None
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
        starts = self._find_starts(values, tasks, accumulate=False) if tasks is not None else None
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
        starts = self._find_starts(values, tasks, accumulate=True) if tasks is not None else None
        task_specific = self.task_specific if starts is None else self._list_pending_parameters()
        rows, rows_to_fill = _allocate_rows(values, self.shared, starts)
        for index, (row, start) in enumerate(rows_to_fill):
            gradients = _compute_gradients(
                start, [*self.shared, *task_specific], retain_graph=index < len(rows_to_fill) - 1
            )
            _fill_row(row, gradients[: len(self.shared)], self.shared)
            for parameter, gradient in zip(task_specific, gradients[len(self.shared) :], strict=True):
                accumulate_grad(parameter, gradient)
        self._release_starts()
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

    def backward_to_features(self, values: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Add the gradients of the sum of losses to the parameters of the heads, and return those at the features.

        The features are what all heads read. One backward pass visits each head; none visits the layers before.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task of each loss.

        Returns:
            `(losses, numbers)`: one row per loss, the gradient with respect to the features of the batch, for
            `accumulate_feature_grad`. Zeros for a loss that does not depend on them.

        Raises:
            MtlError: If the tasks read different features, several processes train, or this is a custom loop.
        """
        raise MtlError("gradients at the features are not available in a custom training loop; use the parameters")

    def accumulate_feature_grad(self, gradient: torch.Tensor) -> None:
        """Propagate a gradient at the features to the parameters before them. The pass frees the graph of the batch.

        Args:
            gradient: `(numbers,)`.
        """
        raise NotImplementedError

    def _retain_loss_weights(self) -> None:
        """Retain the gradient of the losses. Not earlier: the gradients of single losses would be added to it."""
        if self.loss_weights is not None and self.loss_weights.requires_grad:
            self.loss_weights.retain_grad()

    def _run_backward(self, total: torch.Tensor, retain_graph: bool) -> None:
        total.backward(retain_graph=retain_graph)  # type: ignore[no-untyped-call]

    def _find_starts(
        self, values: torch.Tensor, tasks: torch.Tensor, accumulate: bool
    ) -> Sequence[BackwardStart | None] | None:
        """Return where the backward pass of each loss starts; None if the passes start at `values`.

        Args:
            values: `(losses,)`, differentiable.
            tasks: `(losses,)`, int64: the task of each loss.
            accumulate: Whether to add gradients of the sum of losses to the parameters before these starts.
        """
        return None

    def _list_pending_parameters(self) -> Sequence[torch.Tensor]:
        """Return the task-specific parameters whose gradients `_find_starts` does not add."""
        return self.task_specific

    def _release_starts(self) -> None:
        """Release what `_find_starts` needs, once the graph of the batch is freed."""


def accumulate_grad(parameter: torch.Tensor, gradient: torch.Tensor | None) -> None:
    """Add a gradient to `parameter.grad`; do nothing for None.

    The gradient gets the layout of the parameter, as in `backward`: fused optimizers on the CPU read the memory of a
    transposed gradient in the wrong order (torch 2.13).
    """
    if gradient is None:
        return
    if parameter.grad is not None:
        parameter.grad = parameter.grad + gradient
    elif gradient.stride() == parameter.stride():
        parameter.grad = gradient
    else:
        parameter.grad = torch.empty_like(parameter).copy_(gradient)


def _allocate_rows(
    values: torch.Tensor, parameters: Sequence[torch.Tensor], starts: Sequence[BackwardStart | None] | None
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
    start: BackwardStart, parameters: Sequence[torch.Tensor], retain_graph: bool
) -> Sequence[torch.Tensor | None]:
    if not parameters:
        return ()
    return torch.autograd.grad(
        start.tensor, parameters, start.grad_output, retain_graph=retain_graph, allow_unused=True
    )


def _fill_row(row: torch.Tensor, gradients: Sequence[torch.Tensor | None], parameters: Sequence[torch.Tensor]) -> None:
    """Write concatenated gradients into a row; zeros for None."""
    chunks = torch.split(row, [parameter.numel() for parameter in parameters])
    for chunk, gradient in zip(chunks, gradients, strict=True):
        if gradient is None:
            chunk.zero_()
        else:
            chunk.copy_(gradient.reshape(-1))
