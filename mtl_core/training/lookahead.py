"""A step that is taken for a look, and taken back."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from mtl_core.training.losses import TaskLosses
from mtl_core.training.not_finite import NotFiniteError


class Lookahead:
    """Says what the losses of a batch would be after a plain gradient step of some parameters.

    Args:
        parameters: Are moved, and put back to the very bits.
        rate: The length of the step: a learning rate.
        again: Computes the losses of the batch, everything else being equal.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float, again: Callable[[], TaskLosses]) -> None:
        self._parameters = parameters
        self._rate = rate
        self._again = again
        self._kept = [parameter.detach().clone() for parameter in parameters]

    def losses_after(self, gradient: torch.Tensor) -> torch.Tensor | None:
        """Compute the losses after a step against a gradient.

        Args:
            gradient: `(numbers,)`: those of the parameters, behind each other.

        Returns:
            `(active,)`: a value a loss of the batch; None if the step leads to where they are not finite.
        """
        sizes = [parameter.numel() for parameter in self._parameters]
        try:
            for parameter, part in zip(self._parameters, torch.split(gradient, sizes), strict=True):
                # `data`: the graph of the batch, through which gradients still flow, does not mind.
                parameter.data.sub_(part.view_as(parameter), alpha=self._rate)
            return self._again().values
        except NotFiniteError:
            return None
        finally:
            for parameter, kept in zip(self._parameters, self._kept, strict=True):
                parameter.data.copy_(kept)
