"""Checks of losses."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from mtl_core.specs import LossSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.labels import sample_labels
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_close, expect_finite, expect_tensor, shown


def loss_checks(
    spec: LossSpec, labels: Literal["classes", "numbers"], without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.loss_checks`."""
    checks = spec_checks(spec)
    tried = _Tried(spec, labels, tolerance)
    checks.add("shape", "It returns one loss per row, without reduction, also for an empty batch.", tried.shape)
    checks.add("rows", "A row's loss depends only on its own output and target.", tried.rows)
    checks.add("repeats", "It draws no random numbers and has no state.", tried.repeats)
    checks.add("gradients", "Every output gets a finite gradient.", tried.gradients)
    checks.add("better-is-lower", "Right outputs have a lower loss than wrong ones.", tried.direction)
    return checks.without(without)


class _Tried:
    """A loss with sample outputs and targets."""

    def __init__(self, spec: LossSpec, labels: Literal["classes", "numbers"], tolerance: float) -> None:
        self.spec, self.tolerance = spec, tolerance
        self.labels = sample_labels(labels)
        self.targets = self.labels.targets[~self.labels.left]
        generator = torch.Generator().manual_seed(0)
        self.outputs = torch.randn(len(self.targets), self.labels.outputs, generator=generator)

    def build(self) -> nn.Module:
        loss = self.spec.build()
        expect(isinstance(loss, nn.Module), f"expected `build` to return a torch module, found {shown(loss)}")
        return loss

    def shape(self) -> None:
        loss = self.build()
        for rows in (len(self.targets), 1, 0):
            found = loss(self.outputs[:rows], self.targets[:rows])
            expect_tensor(found, (rows,), f"the losses of {rows} rows")
            expect_finite(found, f"the losses of {rows} rows")

    def rows(self) -> None:
        loss = self.build()
        whole = loss(self.outputs, self.targets)
        for row in range(len(self.targets)):
            alone = loss(self.outputs[row : row + 1], self.targets[row : row + 1])
            expect_close(alone[0], whole[row], self.tolerance, f"the loss of row {row + 1} in a batch of one")

    def repeats(self) -> None:
        with seeded(0), left_alone():
            loss = self.build()
            first = loss(self.outputs, self.targets)
            expect_close(loss(self.outputs, self.targets), first, 0, "the losses of a second call")

    def gradients(self) -> None:
        outputs = self.outputs.clone().requires_grad_()
        self.build()(outputs, self.targets).sum().backward()
        if outputs.grad is None:
            raise AssertionError("expected a gradient at the outputs, found none")
        expect_finite(outputs.grad, "the gradient at the outputs")
        idle = (~outputs.grad.any(dim=1)).sum()
        expect(not idle, f"expected a gradient in every row, found {int(idle)} rows of zeros")

    def direction(self) -> None:
        loss = self.build()
        if self.targets.is_floating_point():
            right, wrong = self.targets.unsqueeze(1), self.targets.unsqueeze(1) + 3
        else:
            right = nn.functional.one_hot(self.targets, self.labels.outputs) * 4.0
            wrong = -right
        cheap, dear = loss(right, self.targets), loss(wrong, self.targets)
        expect(
            (cheap < dear).all(),
            f"expected a lower loss of right outputs, found {cheap.mean():.4g} and {dear.mean():.4g} "
            "for wrong ones",
        )
