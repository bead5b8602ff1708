"""Every suite of checks, on one page: one a seam, and one that holds for every spec.

What they have in common: the first argument is the part, as a spec. `without` names checks that do not apply to it,
each with a reason, and `tolerance` says how much numbers may differ that should be equal (relative to numbers
above 1). What a suite finds not to apply by itself stands in `left_out` of what it gives. Every suite begins with
the checks of `spec_checks`. A suite tries the part while it is made, so it imports torch where the part needs it;
this module does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtl_core import specs
from mtl_core.testing.checks import Checks

if TYPE_CHECKING:
    from mtl_core.data.auxiliary import AuxiliaryData
    from mtl_core.data.corpus import Label
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.model.features import FeatureShape

Reasons = Mapping[str, str]
COUNTS = {"high": 8, "low": 3, "medium": 1}
TOLERANCE = 1e-6


def spec_checks(spec: specs.Spec | type[specs.Spec]) -> Checks:
    """Check what holds for every spec: type name, docstrings, defaults, schema, a light import.

    Args:
        spec: A spec, or its class. Of a class whose keys are not all optional, less can be checked.
    """
    from mtl_core.testing.spec import spec_checks as checks

    return checks(spec)


def loader_checks(
    spec: specs.LoaderSpec, *, file: Path | None = None, text: str | None = None, without: Reasons | None = None
) -> Checks:
    """Check a loader: a valid corpus, distinct ids, the same one twice, single files and typed texts.

    Args:
        spec: The loader, with files that exist.
        file: A file for `load_file`; one that the spec names if left out.
        text: A text for `from_text`; a usual one if left out.
        without: Checks that do not apply, with reasons.
    """
    from mtl_core.testing.loaders import loader_checks as checks

    return checks(spec, file, text, without or {})


def splitter_checks(spec: specs.SplitterSpec, *, without: Reasons | None = None) -> Checks:
    """Check a splitter: every unit in one part, by the seed alone."""
    from mtl_core.testing.splitters import splitter_checks as checks

    return checks(spec, without or {})


def encoder_checks(
    spec: specs.EncoderSpec,
    *,
    inputs: Sequence[Any] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check an encoder: batches, padding, unseen inputs, words and ids, and a state that goes through JSON.

    Args:
        spec: The encoder.
        inputs: At least two inputs that it reads; texts, lists of words and arrays are tried if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.encoders import encoder_checks as checks

    return checks(spec, inputs, without or {}, tolerance)


def backbone_checks(
    spec: specs.BackboneSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a backbone: shapes, padding, independence of the batch, gradients, saving and loading.

    Args:
        spec: The backbone.
        shapes: Features to try it with; 12 numbers a token, and 12 numbers an example, if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.backbones import backbone_checks as checks

    return checks(spec, shapes, without or {}, tolerance)


def head_checks(
    spec: specs.HeadSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a head, for one task and for three: as a backbone, and which parameters belong to which task.

    Args:
        spec: The head, for examples or for tokens.
        shapes: Features to try it with; 12 numbers a token, and 12 numbers an example, if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.heads import head_checks as checks

    return checks(spec, shapes, without or {}, tolerance)


def task_kind_checks(
    spec: specs.TaskKindSpec,
    *,
    labels: Sequence[Label] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a task kind: label space, loss, decoding, baseline and metrics, and that these agree with each other.

    Args:
        spec: The task kind.
        labels: At least four labels, none missing; words, numbers and lists of both are tried if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.task_kinds import task_kind_checks as checks

    return checks(spec, labels, without or {}, tolerance)


def loss_checks(
    spec: specs.LossSpec,
    *,
    labels: Literal["classes", "numbers"] = "classes",
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a loss: one a row, of that row alone, with gradients.

    Args:
        spec: The loss.
        labels: What it is for: targets that are codes of classes, or numbers.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.losses import loss_checks as checks

    return checks(spec, labels, without or {}, tolerance)


def loss_mask_checks(
    spec: specs.LossMaskSpec, *, without: Reasons | None = None, tolerance: float = TOLERANCE
) -> Checks:
    """Check a loss mask: what does not count has no influence, not even as NaN."""
    from mtl_core.testing.loss_masks import loss_mask_checks as checks

    return checks(spec, without or {}, tolerance)


def class_weights_checks(
    spec: specs.ClassWeightsSpec, *, counts: Mapping[str, int] = COUNTS, without: Reasons | None = None
) -> Checks:
    """Check class weights: one a class, finite, also where a class was never seen.

    Args:
        spec: The class weights.
        counts: Classes, and how often each stands in the training labels.
        without: Checks that do not apply, with reasons.
    """
    from mtl_core.testing.small_parts import class_weights_checks as checks

    return checks(spec, counts, without or {})


def metric_checks(
    spec: specs.MetricSpec,
    *,
    spaces: Sequence[LabelSpace] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a metric: the same figure in pieces, the direction that it states, and whether it may be pooled.

    Args:
        spec: The metric.
        spaces: Label spaces to try it with; classes, lists of classes and numbers if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much figures may differ.
    """
    from mtl_core.testing.metrics import metric_checks as checks

    return checks(spec, spaces, without or {}, tolerance)


def weighting_checks(
    spec: specs.WeightingSpec, *, without: Reasons | None = None, tolerance: float = TOLERANCE
) -> Checks:
    """Check a weighting: one finite number, gradients for every loss, absent tasks without influence."""
    from mtl_core.testing.weightings import weighting_checks as checks

    return checks(spec, without or {}, tolerance)


def optimizer_checks(spec: specs.OptimizerSpec, *, without: Reasons | None = None) -> Checks:
    """Check an optimizer: it goes downhill, obeys its rate, and goes on from a checkpoint bit for bit."""
    from mtl_core.testing.small_parts import optimizer_checks as checks

    return checks(spec, without or {})


def schedule_checks(spec: specs.ScheduleSpec, *, without: Reasons | None = None) -> Checks:
    """Check a schedule: a finite factor of 0 or more for every step of any run."""
    from mtl_core.testing.small_parts import schedule_checks as checks

    return checks(spec, without or {})


def architecture_checks(
    spec: specs.ArchitectureSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    without: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check an architecture, built of a small input layer and a small backbone, for one task and for three.

    Args:
        spec: The architecture.
        shapes: Features to try it with; 12 numbers a token, and 12 numbers an example, if left out.
        without: Checks that do not apply, with reasons.
        tolerance: How much numbers may differ.
    """
    from mtl_core.testing.architectures import architecture_checks as checks

    return checks(spec, shapes, without or {}, tolerance)


def sampling_checks(spec: specs.SamplingSpec, *, without: Reasons | None = None) -> Checks:
    """Check a sampling strategy: shares of 0 or more, and draws that follow them."""
    from mtl_core.testing.samplings import sampling_checks as checks

    return checks(spec, without or {})


def tracker_checks(spec: specs.TrackerSpec, *, without: Reasons | None = None) -> Checks:
    """Check a tracker: whole, resumed and following runs, all offline, with nothing left behind."""
    from mtl_core.testing.trackers import tracker_checks as checks

    return checks(spec, without or {})


def auxiliary_checks(
    spec: specs.AuxiliarySpec, *, data: AuxiliaryData | None = None, without: Reasons | None = None
) -> Checks:
    """Check an auxiliary task: labels that fit its kind, made without a look at test data.

    Args:
        spec: The auxiliary task.
        data: Examples to derive labels from, some of them no training data; invented reviews if left out.
        without: Checks that do not apply, with reasons.
    """
    from mtl_core.testing.auxiliary import auxiliary_checks as checks

    return checks(spec, data, without or {})
