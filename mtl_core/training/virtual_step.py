"""A virtual step: update parameters, compute losses, restore the parameters."""

from collections.abc import Callable, Sequence

import torch

from mtl_core.training.losses import TaskLosses
from mtl_core.training.non_finite import NonFiniteLossError


class VirtualStep:
    """Computes the losses of a batch after a virtual SGD step of some parameters.

    Args:
        parameters: The parameters, which are restored exactly after each step.
        lr: The learning rate of the step.
        recompute_losses: Recomputes the losses of the batch under otherwise equal conditions.
    """

    def __init__(
        self, parameters: Sequence[torch.Tensor], lr: float, recompute_losses: Callable[[], TaskLosses]
    ) -> None:
        self._parameters = parameters
        self._lr = lr
        self._recompute_losses = recompute_losses
        self._initial_values = [parameter.detach().clone() for parameter in parameters]

    def compute_losses_after_step(self, gradient: torch.Tensor) -> torch.Tensor | None:
        """Compute the losses after a gradient descent step.

        Args:
            gradient: `(numbers,)`: the concatenated gradients of the parameters.

        Returns:
            `(active,)`: one value per loss of the batch; None if a loss is not finite after the step.
        """
        sizes = [parameter.numel() for parameter in self._parameters]
        try:
            for parameter, step in zip(self._parameters, torch.split(gradient, sizes), strict=True):
                # `data`: does not invalidate the graph of the batch, which is still needed.
                parameter.data.sub_(step.view_as(parameter), alpha=self._lr)
            return self._recompute_losses().values
        except NonFiniteLossError:
            return None
        finally:
            for parameter, initial_value in zip(self._parameters, self._initial_values, strict=True):
                parameter.data.copy_(initial_value)
