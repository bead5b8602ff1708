"""Checks of task kinds."""

from collections.abc import Mapping, Sequence

from mtl_core.data.corpus import Label
from mtl_core.plugins.specs import TaskKindSpec
from mtl_core.testing.acceptance import build_accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.kind_fixture import LABEL_SAMPLES, LabelSample, build_kind_fixture
from mtl_core.testing.label_space_checks import LabelSpaceChecks
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.task_kind_checks import TaskKindChecks


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
        checks.skip(f"strange-label-{name}", "its labels are derived from the inputs")
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
    checks.add(
        "metrics", "Outputs of minimal loss score better than the baseline.", kind_checks.check_metrics, name
    )
    if kind_checks.fixture.sample is None and kind_checks.fixture.spec.level == "example":
        checks.skip(f"agreement-{name}", "its prediction for an input is not one label")
    else:
        checks.add(
            "agreement", "Outputs of minimal loss are decoded as the labels.", kind_checks.check_agreement, name
        )
