"""Checks of task kinds."""

from collections.abc import Mapping, Sequence

from mtl_core.data.corpus import Label
from mtl_core.specs import TaskKindSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.kind_runtime import KindRuntime
from mtl_core.testing.kind_space import KindSpace
from mtl_core.testing.label_trials import TRIALS, LabelTrial, make_kind
from mtl_core.testing.spec import spec_checks


def task_kind_checks(
    spec: TaskKindSpec,
    labels: Sequence[Label] | None,
    without: Mapping[str, str],
    tolerance: float,
) -> Checks:
    """See `mtl_core.testing.task_kind_checks`."""
    checks = spec_checks(spec)
    trials: dict[str, LabelTrial | None] = {trial.name: trial for trial in TRIALS if trial.level == spec.level}
    if spec.reads_inputs:
        trials = {"inputs": None}
    elif labels is not None:
        trials = {"labels": LabelTrial("labels", spec.level, labels, "no such label")}
    for name, kind in accepted(checks, trials, lambda trial: make_kind(spec, trial), "labels").items():
        _add_space(checks, KindSpace(kind), name)
        _add_runtime(checks, KindRuntime(kind, tolerance), name)
    return checks.without(without)


def _add_space(checks: Checks, space: KindSpace, name: str) -> None:
    checks.add("space-state", "Its label space, saved as JSON and restored, is the same.", space.state, name)
    checks.add("missing-labels", "Missing labels are encoded as missing, others are not.", space.missing, name)
    if space.made.trial is None:
        checks.leave_out(f"strange-label-{name}", "its labels are derived from the inputs")
    else:
        checks.add("strange-label", "A label outside the space is refused, with its location.", space.strange, name)


def _add_runtime(checks: Checks, kind: KindRuntime, name: str) -> None:
    checks.add("runtime", "Outputs, loss, metrics, class weights and baseline have valid types.", kind.form, name)
    checks.add("no-counts", "It can be built without training labels.", kind.no_counts, name)
    checks.add("loss-rows", "It computes one loss per row, with a finite gradient.", kind.rows, name)
    checks.add("influence", "A missing label changes no loss, and gets no gradient.", kind.influence, name)
    checks.add(
        "decoding", "It decodes every output as a label of its space, with probabilities.", kind.decoding, name
    )
    checks.add("baseline", "The baseline predicts the same for every example.", kind.baseline, name)
    checks.add("metrics", "Outputs of minimal loss score better than the baseline.", kind.metrics, name)
    if kind.made.trial is None and kind.made.spec.level == "example":
        checks.leave_out(f"agreement-{name}", "its prediction for an input is not one label")
    else:
        checks.add("agreement", "Outputs of minimal loss are decoded as the labels.", kind.agreement, name)
