"""Checks of task kinds, and of their label spaces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch

from mtl_core.data.corpus import Label
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import TaskKindSpec
from mtl_core.testing.checks import Checks, build_accepted, expect, fail
from mtl_core.testing.kind_fixture import KindFixture, build_kind_fixture
from mtl_core.testing.mask_checks import MaskChecks
from mtl_core.testing.sample_labels import LABEL_SAMPLES, LabelSample
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.task_kind_runtime import TaskKindChecks
from mtl_core.testing.tensors import expect_close


def task_kind_checks(
    spec: TaskKindSpec,
    labels: Sequence[Label] | None,
    skip: Mapping[str, str],
    tolerance: float,
) -> Checks:
    """See `mtl_core.testing.task_kind_checks`."""
    checks = spec_checks(spec)
    samples: dict[str, LabelSample | None] = {
        sample.name: sample for sample in LABEL_SAMPLES if sample.level == spec.level
    }
    if spec.reads_inputs:
        samples = {"inputs": None}
    elif labels is not None:
        samples = {"labels": LabelSample("labels", spec.level, labels, "no such label")}
    for name, kind in build_accepted(
        checks, samples, lambda sample: build_kind_fixture(spec, sample), "labels"
    ).items():
        _add_label_space_checks(checks, LabelSpaceChecks(kind), name)
        _add_kind_checks(checks, TaskKindChecks(kind, tolerance), name)
        if spec.level == "pixel":
            _add_mask_checks(checks, MaskChecks(kind), name)
    return checks.skip_checks(skip)


def _add_label_space_checks(checks: Checks, label_space_checks: LabelSpaceChecks, name: str) -> None:
    checks.add(
        "space-state",
        "Its label space, saved as JSON and restored, is the same.",
        label_space_checks.check_state,
        name,
    )
    checks.add(
        "missing-labels",
        "Missing labels are encoded as missing, others are not.",
        label_space_checks.check_missing_labels,
        name,
    )
    if label_space_checks.fixture.sample is None:
        checks.skip(f"out-of-space-label-{name}", "its labels are derived from the inputs")
    else:
        checks.add(
            "out-of-space-label",
            "A label outside the space is refused, with its location.",
            label_space_checks.check_out_of_space_label,
            name,
        )


def _add_kind_checks(checks: Checks, kind_checks: TaskKindChecks, name: str) -> None:
    checks.add(
        "runtime",
        "Outputs, loss, metrics, class weights and baseline have valid types.",
        kind_checks.check_attributes,
        name,
    )
    checks.add("no-counts", "It can be built without training labels.", kind_checks.check_no_counts, name)
    checks.add(
        "standalone-loss",
        "The loss that it builds without data is that of a run.",
        kind_checks.check_standalone_loss,
        name,
    )
    checks.add("loss-rows", "It computes one loss per row, with a finite gradient.", kind_checks.check_rows, name)
    checks.add(
        "influence",
        "A missing label changes no loss, and gets no gradient.",
        kind_checks.check_missing_labels,
        name,
    )
    checks.add(
        "decoding",
        "It decodes every output as a label of its space, with probabilities.",
        kind_checks.check_decoding,
        name,
    )
    checks.add("baseline", "The baseline predicts the same for every example.", kind_checks.check_baseline, name)
    checks.add("metrics", "Outputs of minimal loss score better than the baseline.", kind_checks.check_metrics, name)
    if kind_checks.fixture.sample is None and kind_checks.fixture.spec.level == "example":
        checks.skip(f"agreement-{name}", "its prediction for an input is not one label")
    else:
        checks.add("agreement", "Outputs of minimal loss are decoded as the labels.", kind_checks.check_agreement, name)


def _add_mask_checks(checks: Checks, mask_checks: MaskChecks, name: str) -> None:
    description = "The targets of a mask are the encoded labels of its pixels, row by row."
    checks.add("read-masks", description, mask_checks.check_reading, name)
    description = "Unlabelled pixels are missing, and change no other target."
    checks.add("unlabelled-pixels", description, mask_checks.check_unlabelled_pixels, name)
    description = "Predicted masks are the decoded labels, with a short summary."
    checks.add("predicted-masks", description, mask_checks.check_predicted_masks, name)


class LabelSpaceChecks:
    """Checks of the label space that a kind builds from sample labels.

    Args:
        fixture: The kind with its sample labels.
    """

    def __init__(self, fixture: KindFixture) -> None:
        self.fixture = fixture

    def check_state(self) -> None:
        """Save the label space as JSON and restore it."""
        space = self.fixture.space
        restored = self.fixture.spec.restore_space(json.loads(json.dumps(space.state())))
        expect(
            list(restored.classes) == list(space.classes),
            f"expected the classes {list(space.classes)} after restoring, found {list(restored.classes)}",
        )
        if self.fixture.sample is not None:
            labels = [*self.fixture.sample.encodable_labels, None]
            encoded = torch.from_numpy(restored.encode(labels, ["somewhere"] * len(labels)))
            expect_close(encoded.nan_to_num(9), self.fixture.encode(labels).nan_to_num(9), 0, "encoded after restoring")

    def check_missing_labels(self) -> None:
        """Encode None and labels."""
        expect(
            self.fixture.compute_label_mask(self.fixture.targets).all(),
            "expected every label to be observed, found one that is missing",
        )
        if self.fixture.sample is None:
            return
        encoded = self.fixture.encode([None, self.fixture.sample.encodable_labels[0], None])
        expect(len(encoded) == 3, f"expected 3 targets of 3 labels, found {len(encoded)}")
        expect(
            self.fixture.compute_label_mask(encoded).tolist() == [False, True, False],
            f"expected None to be encoded as missing, found {encoded.tolist()} of [None, a label, None]",
        )

    def check_out_of_space_label(self) -> None:
        """Encode a label outside the space."""
        sample = self.fixture.sample
        assert sample is not None  # noqa: S101  skipped otherwise
        try:
            self.fixture.space.encode(
                [sample.encodable_labels[0], sample.out_of_space_label], ["somewhere:1", "somewhere:2"]
            )
        except MtlError as error:
            expect("somewhere:2" in str(error), f"expected a message with the location of the label, found: {error}")
            return
        fail(f"expected the label {sample.out_of_space_label!r} to be refused by an MtlError, found it encoded")
