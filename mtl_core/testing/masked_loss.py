"""What a masked label or output must not do: change a loss, or send a gradient back."""

import torch
from torch import nn

from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import seeded
from mtl_core.testing.tensors import expect_close, expect_finite
from mtl_core.training.losses import GroupLoss, TaskLosses


def expect_unmoved(
    loss: nn.Module, outputs: int, targets: torch.Tensor, mask: torch.Tensor, tolerance: float
) -> None:
    """Put NaN into the outputs that a mask leaves out, and other labels into such targets; no loss may change.

    Args:
        loss: From outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        outputs: How many numbers a head gives.
        targets: `(batch, tasks, ...)`.
        mask: `(batch, tasks)`, bool, or `(batch, tasks, length)`.
        tolerance: How much a loss may change.

    Raises:
        AssertionError: If one does.
    """
    with seeded(0):
        said = torch.randn(*mask.shape, outputs)
        expected, slope = _losses(loss, said, targets, mask)
        spoilt, strange = said.clone(), targets.clone()
        spoilt[~mask] = float("nan")
        strange[~mask] = _strange(targets)
        found, other = _losses(loss, spoilt, strange, mask)
    expect_finite(expected.values, "the losses")
    what = "the losses once there is NaN in outputs that do not count, and other labels that do not"
    expect_close(found.values, expected.values, tolerance, what)
    expect(torch.equal(found.counts, expected.counts), "expected as many labels, found others counted")
    expect_finite(other, "the gradient at the outputs, where some that do not count are NaN")
    expect(not other[~mask].any(), "expected no gradient at outputs that do not count, found some")
    expect_close(other, slope, tolerance, "the gradient at the outputs")


def _losses(
    loss: nn.Module, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
) -> tuple[TaskLosses, torch.Tensor]:
    said = outputs.clone().requires_grad_()
    found = GroupLoss(loss, [None] * mask.shape[1])(said, targets, mask)
    expect(found.values.requires_grad, "expected losses that gradients can flow from, found none")
    found.values.sum().backward()
    assert said.grad is not None  # noqa: S101  just made
    return found, said.grad


def _strange(targets: torch.Tensor) -> float:
    return float("nan") if targets.is_floating_point() else -100
