"""Checks of losses."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from mtl_core.plugins.specs import LossSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_labels import create_sample_labels
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_close, expect_finite, expect_tensor


def loss_checks(
    spec: LossSpec, labels: Literal["classes", "numbers", "vectors"], skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.loss_checks`."""
    checks = spec_checks(spec)
    loss_tests = _LossChecks(spec, labels, tolerance)
    checks.add(
        "shape", "It returns one loss per row, without reduction, also for an empty batch.", loss_tests.check_shape
    )
    checks.add("rows", "A row's loss depends only on its own output and target.", loss_tests.check_rows)
    checks.add("deterministic", "It draws no random numbers and has no state.", loss_tests.check_deterministic)
    checks.add("gradients", "Every output gets a finite gradient.", loss_tests.check_gradients)
    checks.add("better-is-lower", "Right outputs have a lower loss than wrong ones.", loss_tests.check_direction)
    return checks.skip_checks(skip)


class _LossChecks:
    """A loss with sample outputs and targets."""

    def __init__(self, spec: LossSpec, labels: Literal["classes", "numbers", "vectors"], tolerance: float) -> None:
        self.spec, self.tolerance = spec, tolerance
        self.labels = create_sample_labels(labels)
        self.targets = self.labels.targets[~self.labels.ignore_mask]
        generator = torch.Generator().manual_seed(0)
        self.outputs = torch.randn(len(self.targets), self.labels.n_outputs, generator=generator)

    def build_loss(self) -> nn.Module:
        loss = self.spec.build()
        expect(isinstance(loss, nn.Module), f"expected `build` to return a torch module, found {describe_value(loss)}")
        return loss

    def check_shape(self) -> None:
        loss = self.build_loss()
        for n_rows in (len(self.targets), 1, 0):
            losses = loss(self.outputs[:n_rows], self.targets[:n_rows])
            expect_tensor(losses, (n_rows,), f"the losses of {n_rows} rows")
            expect_finite(losses, f"the losses of {n_rows} rows")

    def check_rows(self) -> None:
        loss = self.build_loss()
        losses = loss(self.outputs, self.targets)
        for row in range(len(self.targets)):
            single = loss(self.outputs[row : row + 1], self.targets[row : row + 1])
            expect_close(single[0], losses[row], self.tolerance, f"the loss of row {row + 1} in a batch of one")

    def check_deterministic(self) -> None:
        with temporary_seed(0), preserves_rng_state():
            loss = self.build_loss()
            first = loss(self.outputs, self.targets)
            expect_close(loss(self.outputs, self.targets), first, 0, "the losses of a second call")

    def check_gradients(self) -> None:
        outputs = self.outputs.clone().requires_grad_()
        self.build_loss()(outputs, self.targets).sum().backward()
        if outputs.grad is None:
            raise AssertionError("expected a gradient at the outputs, found none")
        expect_finite(outputs.grad, "the gradient at the outputs")
        n_zero_rows = (~outputs.grad.any(dim=1)).sum()
        expect(not n_zero_rows, f"expected a gradient in every row, found {int(n_zero_rows)} rows of zeros")

    def check_direction(self) -> None:
        loss = self.build_loss()
        if self.targets.is_floating_point():
            right = self.targets.view(len(self.targets), -1)
            wrong = -right if self.targets.ndim == 2 else right + 3
        else:
            right = nn.functional.one_hot(self.targets, self.labels.n_outputs) * 4.0
            wrong = -right
        right_loss, wrong_loss = loss(right, self.targets), loss(wrong, self.targets)
        expect(
            (right_loss < wrong_loss).all(),
            f"expected a lower loss of right outputs, found {right_loss.mean():.4g} and {wrong_loss.mean():.4g} "
            "for wrong ones",
        )
