"""Check that labels and outputs outside a loss mask change no loss and get no gradient."""

import torch
from torch import nn

from mtl_core.testing.expectations import expect
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.tensors import expect_close, expect_finite
from mtl_core.training.losses import GroupLoss, TaskLosses


def expect_mask_invariance(
    loss: nn.Module, n_outputs: int, targets: torch.Tensor, mask: torch.Tensor, tolerance: float
) -> None:
    """Check that NaN outputs and other targets outside a mask change no loss and no gradient.

    Args:
        loss: Maps outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        n_outputs: Number of outputs of a head.
        targets: Encoded labels, `(batch, tasks, ...)`.
        mask: `(batch, tasks)`, bool, or `(batch, tasks, length)`.
        tolerance: Tolerance for numbers that should be equal.

    Raises:
        AssertionError: If a loss or a gradient changes.
    """
    with temporary_seed(0):
        logits = torch.randn(*mask.shape, n_outputs)
        expected, expected_grad = _compute_losses(loss, logits, targets, mask)
        corrupted_logits, corrupted_targets = logits.clone(), targets.clone()
        corrupted_logits[~mask] = float("nan")
        corrupted_targets[~mask] = _create_invalid_target(targets)
        actual, actual_grad = _compute_losses(loss, corrupted_logits, corrupted_targets, mask)
    expect_finite(expected.values, "the losses")
    name = "the losses with NaN outputs and other labels outside the mask"
    expect_close(actual.values, expected.values, tolerance, name)
    expect(torch.equal(actual.counts, expected.counts), "expected the same number of labels, found another")
    expect_finite(actual_grad, "the gradient at the outputs, some of which are NaN outside the mask")
    expect(not actual_grad[~mask].any(), "expected no gradient at outputs outside the mask, found some")
    expect_close(actual_grad, expected_grad, tolerance, "the gradient at the outputs")


def _compute_losses(
    loss: nn.Module, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
) -> tuple[TaskLosses, torch.Tensor]:
    logits = outputs.clone().requires_grad_()
    losses = GroupLoss(loss, [None] * mask.shape[1])(logits, targets, mask)
    expect(losses.values.requires_grad, "expected differentiable losses, found losses without `requires_grad`")
    losses.values.sum().backward()
    assert logits.grad is not None  # noqa: S101  set by `backward`
    return losses, logits.grad


def _create_invalid_target(targets: torch.Tensor) -> float:
    return float("nan") if targets.is_floating_point() else -100
