"""Gram matrix of task gradients."""

from collections.abc import Callable

import torch

from mtl_core.training.gradients import StepGradients

MAX_GRADIENT_ELEMENTS = 2**26
"""Maximum number of gradient elements in memory; beyond it, some gradients are computed several times."""


def compute_gram_matrix(
    values: torch.Tensor,
    gradients: StepGradients,
    visit: Callable[[int, torch.Tensor], None],
    max_elements: int = MAX_GRADIENT_ELEMENTS,
) -> torch.Tensor:
    """Compute the Gram matrix of the gradients of losses with respect to the shared parameters.

    If not all gradients fit into memory, they are processed in blocks; each block is multiplied with the later
    gradients, one at a time.

    Args:
        values: `(losses,)`, differentiable.
        gradients: Computes the gradients.
        visit: Called once per gradient with its index and the gradient, `(numbers,)`.
        max_elements: Maximum number of gradient elements in memory; at least one gradient is stored.

    Returns:
        `(losses, losses)`, the dot products.
    """
    shared, count = gradients.shared, len(values)
    rows = max(1, max_elements // sum(parameter.numel() for parameter in shared))
    gram = values.new_zeros((count, count))
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        block = gradients.jacobian(values[start:stop], shared)
        gram[start:stop, start:stop] = block @ block.T
        for index in range(stop, count):
            products = block @ gradients.jacobian(values[index : index + 1], shared)[0]
            gram[start:stop, index] = products
            gram[index, start:stop] = products
        for index, row in enumerate(block, start):
            visit(index, row)
        del block, row  # the last row is a view of the block; both before the next block is allocated
    return gram
