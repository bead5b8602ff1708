"""Checks of loss masks: labels outside the mask have no influence."""

from collections.abc import Mapping

import torch

from mtl_core.data.label_space import MISSING
from mtl_core.specs import LossMaskSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.labels import VARIANTS, SampleLabels, sample_labels
from mtl_core.testing.masked_loss import expect_unmoved
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_tensor
from mtl_core.training.losses import LossMask


def loss_mask_checks(spec: LossMaskSpec, without: Mapping[str, str], tolerance: float) -> Checks:
    """See `mtl_core.testing.loss_mask_checks`."""
    checks = spec_checks(spec)
    checks.add("excluded", "`excluded` returns a frozenset of label names.", lambda: _excluded(spec))

    def masked(variant: str) -> _Masked:
        labels = sample_labels(variant, spec.excluded())
        return _Masked(spec.build(labels.spaces), labels, tolerance)

    for variant, made in accepted(checks, {name: name for name in VARIANTS}, masked, "labels").items():
        _add(checks, made, variant)
    return checks.without(without)


def _excluded(spec: LossMaskSpec) -> None:
    found = spec.excluded()
    named = isinstance(found, frozenset) and all(isinstance(name, str) for name in found)
    expect(named, f"expected a frozenset of names, found {found!r}")


class _Masked:
    """A loss mask and sample labels."""

    def __init__(self, mask: LossMask, labels: SampleLabels, tolerance: float) -> None:
        self.mask, self.labels, self.tolerance = mask, labels, tolerance

    def shape(self) -> None:
        targets = self.labels.targets
        before = targets.clone()
        with left_alone():
            found = self.mask(targets)
        expect_tensor(found, tuple(self.labels.left.shape), "the mask", torch.bool)
        kept = torch.equal(targets.nan_to_num(), before.nan_to_num())
        expect(kept, "expected the targets to be unchanged, found them changed")

    def missing(self) -> None:
        counted = self.mask(self.labels.targets) & self.labels.left
        expect(
            not counted.any(),
            f"expected no missing and no excluded label in the mask, found {int(counted.sum())}",
        )

    def something(self) -> None:
        counted = self.mask(self.labels.targets[-1:])
        expect(counted.any(), "expected an example with a label for every task to have one in the mask, found none")

    def rows(self) -> None:
        whole = self.mask(self.labels.targets)
        order = torch.tensor([7, 3, 9, 0, 1, 8, 2, 6, 4, 5])
        other = self.mask(self.labels.targets[order])
        expect(torch.equal(other, whole[order]), "expected the same mask in another order, found a different one")
        for row in range(len(whole)):
            alone = self.mask(self.labels.targets[row : row + 1])
            expect(torch.equal(alone[0], whole[row]), f"expected the same mask for example {row + 1} alone")

    def influence(self) -> None:
        mask = self.mask(self.labels.targets)
        expect_unmoved(self.labels.loss, self.labels.outputs, self.labels.targets, mask, self.tolerance)
        bare = self.labels.targets.clone()
        bare[~mask] = float("nan") if bare.is_floating_point() else MISSING
        again = self.mask(bare)
        expect(torch.equal(again, mask), "expected the same mask after removing the labels outside it")


def _add(checks: Checks, masked: _Masked, variant: str) -> None:
    names = "(batch, tasks, length)" if variant == "tags" else "(batch, tasks)"
    checks.add("shape", f"It returns {names}, bool, and does not change the targets.", masked.shape, variant)
    checks.add("missing-labels", "Missing and excluded labels are outside the mask.", masked.missing, variant)
    checks.add("counts-something", "An example with all labels has some in the mask.", masked.something, variant)
    checks.add("batch-company", "An example's mask does not depend on the batch it is in.", masked.rows, variant)
    checks.add(
        "influence",
        "Labels and outputs outside the mask change no loss, even if they are NaN.",
        masked.influence,
        variant,
    )
