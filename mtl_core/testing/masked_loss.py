"""Check that labels and outputs outside a loss mask change no loss and get no gradient."""

import torch
from torch import nn

from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import seeded
from mtl_core.testing.tensors import expect_close, expect_finite
from mtl_core.training.losses import GroupLoss, TaskLosses


def expect_unmoved(
    loss: nn.Module, outputs: int, targets: torch.Tensor, mask: torch.Tensor, tolerance: float
) -> None:
    """Check that NaN outputs and other targets outside a mask change no loss and no gradient.

    Args:
        loss: Maps outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        outputs: Number of outputs of a head.
        targets: Encoded labels, `(batch, tasks, ...)`.
        mask: `(batch, tasks)`, bool, or `(batch, tasks, length)`.
        tolerance: Tolerance for numbers that should be equal.

    Raises:
        AssertionError: If a loss or a gradient changes.
    """
    with seeded(0):
        said = torch.randn(*mask.shape, outputs)
        expected, slope = _losses(loss, said, targets, mask)
        spoilt, strange = said.clone(), targets.clone()
        spoilt[~mask] = float("nan")
        strange[~mask] = _strange(targets)
        found, other = _losses(loss, spoilt, strange, mask)
    expect_finite(expected.values, "the losses")
    what = "the losses with NaN outputs and other labels outside the mask"
    expect_close(found.values, expected.values, tolerance, what)
    expect(torch.equal(found.counts, expected.counts), "expected the same number of labels, found another")
    expect_finite(other, "the gradient at the outputs, some of which are NaN outside the mask")
    expect(not other[~mask].any(), "expected no gradient at outputs outside the mask, found some")
    expect_close(other, slope, tolerance, "the gradient at the outputs")


def _losses(
    loss: nn.Module, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
) -> tuple[TaskLosses, torch.Tensor]:
    said = outputs.clone().requires_grad_()
    found = GroupLoss(loss, [None] * mask.shape[1])(said, targets, mask)
    expect(found.values.requires_grad, "expected differentiable losses, found losses without `requires_grad`")
    found.values.sum().backward()
    assert said.grad is not None  # noqa: S101  set by `backward`
    return found, said.grad


def _strange(targets: torch.Tensor) -> float:
    return float("nan") if targets.is_floating_point() else -100
