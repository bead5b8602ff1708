"""Checks of loss masks: labels outside the mask have no influence."""

from collections.abc import Mapping

import torch
from torch import nn

from mtl_core.data.label_space import MISSING
from mtl_core.data.loss_mask import LossMask
from mtl_core.plugins.specs import LossMaskSpec
from mtl_core.testing.checks import Checks, build_accepted, expect
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_labels import VARIANTS, SampleLabels, create_sample_labels
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_close, expect_finite, expect_tensor
from mtl_core.training.losses import GroupLoss, TaskLosses


def loss_mask_checks(spec: LossMaskSpec, skip: Mapping[str, str], tolerance: float) -> Checks:
    """See `mtl_core.testing.loss_mask_checks`."""
    checks = spec_checks(spec)
    checks.add("excluded", "`excluded` returns a frozenset of label names.", lambda: _check_excluded(spec))

    def build_mask_checks(variant: str) -> _MaskChecks:
        labels = create_sample_labels(variant, spec.list_excluded_labels())
        return _MaskChecks(spec.build(labels.spaces), labels, tolerance)

    for variant, mask_checks in build_accepted(
        checks, {name: name for name in VARIANTS}, build_mask_checks, "labels"
    ).items():
        _add_checks(checks, mask_checks, variant)
    return checks.skip_checks(skip)


def _check_excluded(spec: LossMaskSpec) -> None:
    names = spec.list_excluded_labels()
    is_valid = isinstance(names, frozenset) and all(isinstance(name, str) for name in names)
    expect(is_valid, f"expected a frozenset of names, found {names!r}")


class _MaskChecks:
    """A loss mask and sample labels."""

    def __init__(self, mask: LossMask, labels: SampleLabels, tolerance: float) -> None:
        self.mask, self.labels, self.tolerance = mask, labels, tolerance

    def check_shape(self) -> None:
        targets = self.labels.targets
        before = targets.clone()
        with preserves_rng_state():
            mask = self.mask(targets)
        expect_tensor(mask, tuple(self.labels.ignore_mask.shape), "the mask", torch.bool)
        is_unchanged = torch.equal(targets.nan_to_num(), before.nan_to_num())
        expect(is_unchanged, "expected the targets to be unchanged, found them changed")

    def check_missing_labels(self) -> None:
        wrongly_included = self.mask(self.labels.targets) & self.labels.ignore_mask
        expect(
            not wrongly_included.any(),
            f"expected no missing and no excluded label in the mask, found {int(wrongly_included.sum())}",
        )

    def check_not_empty(self) -> None:
        mask = self.mask(self.labels.targets[-1:])
        expect(mask.any(), "expected an example with a label for every task to have one in the mask, found none")

    def check_batch_invariance(self) -> None:
        mask = self.mask(self.labels.targets)
        order = torch.tensor([7, 3, 9, 0, 1, 8, 2, 6, 4, 5])
        reordered = self.mask(self.labels.targets[order])
        expect(torch.equal(reordered, mask[order]), "expected the same mask in another order, found a different one")
        for row in range(len(mask)):
            single = self.mask(self.labels.targets[row : row + 1])
            expect(torch.equal(single[0], mask[row]), f"expected the same mask for example {row + 1} alone")

    def check_influence(self) -> None:
        mask = self.mask(self.labels.targets)
        expect_mask_invariance(self.labels.loss, self.labels.n_outputs, self.labels.targets, mask, self.tolerance)
        masked_targets = self.labels.targets.clone()
        masked_targets[~mask] = float("nan") if masked_targets.is_floating_point() else MISSING
        second_mask = self.mask(masked_targets)
        expect(torch.equal(second_mask, mask), "expected the same mask after removing the labels outside it")


def _add_checks(checks: Checks, mask_checks: _MaskChecks, variant: str) -> None:
    shape = "(batch, tasks, length)" if variant == "tags" else "(batch, tasks)"
    checks.add("shape", f"It returns {shape}, bool, and does not change the targets.", mask_checks.check_shape, variant)
    checks.add(
        "missing-labels",
        "Missing and excluded labels are outside the mask.",
        mask_checks.check_missing_labels,
        variant,
    )
    checks.add("not-empty", "An example with all labels has some in the mask.", mask_checks.check_not_empty, variant)
    checks.add(
        "batch-invariance",
        "An example's mask does not depend on the batch it is in.",
        mask_checks.check_batch_invariance,
        variant,
    )
    checks.add(
        "influence",
        "Labels and outputs outside the mask change no loss, even if they are NaN.",
        mask_checks.check_influence,
        variant,
    )


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
