"""The conformance suites: one per extension point, and one for every spec.

All suites have in common: the first argument is the part, as a spec. `skip` maps checks to skip to reasons, and
`tolerance` is the tolerance for numbers that should be equal (relative for numbers above 1). Checks that a suite
skips itself are in `skipped_checks` of its result. Every suite starts with the checks of `spec_checks`. A suite
builds the part when it is created, so it imports torch if the part does; this module does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtl_core.plugins import specs
from mtl_core.testing.checks import Checks

if TYPE_CHECKING:
    from mtl_core.data.auxiliary_data import AuxiliaryData
    from mtl_core.data.corpus import Label
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.features import FeatureShape

Reasons = Mapping[str, str]
CLASS_COUNTS = {"high": 8, "low": 3, "medium": 1}
TOLERANCE = 1e-6


def spec_checks(spec: specs.Spec | type[specs.Spec]) -> Checks:
    """Check the requirements of every spec: type name, docstrings, defaults, schema, no heavy imports.

    Args:
        spec: A spec, or its class. For a class with required keys, some checks are skipped.
    """
    from mtl_core.testing.spec import spec_checks as checks

    return checks(spec)


def loader_checks(
    spec: specs.LoaderSpec, *, file: Path | None = None, text: str | None = None, skip: Reasons | None = None
) -> Checks:
    """Check a loader: a valid corpus, distinct ids, deterministic loading, single files and texts.

    Args:
        spec: The loader, with files that exist.
        file: A file for `load_file`; None for one that the spec names.
        text: A text for `from_text`; None for an English sentence.
        skip: Name of each check to skip to the reason.
    """
    from mtl_core.testing.loaders import loader_checks as checks

    return checks(spec, file, text, skip or {})


def splitter_checks(
    spec: specs.SplitterSpec, *, metadata: Mapping[str, Sequence[object]] | None = None, skip: Reasons | None = None
) -> Checks:
    """Check a splitter: every unit in one split, determined by the seed; no leak through metadata.

    Args:
        spec: The splitter.
        metadata: Cells of each column of metadata, each of which several examples in a row have; None for the columns
            `user` and `date`.
        skip: Name of each check to skip to the reason.
    """
    from mtl_core.testing.splitters import splitter_checks as checks

    return checks(spec, metadata, skip or {})


def encoder_checks(
    spec: specs.EncoderSpec,
    *,
    inputs: Sequence[Any] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check an encoder: batches, padding, unseen inputs, words and ids, and a state that is valid JSON.

    Args:
        spec: The encoder.
        inputs: At least two inputs that it accepts; None to try texts, lists of words and arrays.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.encoders import encoder_checks as checks

    return checks(spec, inputs, skip or {}, tolerance)


def fusion_checks(
    spec: specs.FusionSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a fusion of three columns, two of which are one vector per example: the checks of a backbone.

    Args:
        spec: The fusion.
        shapes: Shapes of the third column's features; None for 12 numbers per token, per example and per position.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.fusions import fusion_checks as checks

    return checks(spec, shapes, skip or {}, tolerance)


def backbone_checks(
    spec: specs.BackboneSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a backbone: shapes, padding, independence of the batch, gradients, saving and loading.

    Args:
        spec: The backbone.
        shapes: Shapes of input features; None for 12 numbers per token, per example and per position of an image.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.backbones import backbone_checks as checks

    return checks(spec, shapes, skip or {}, tolerance)


def head_checks(
    spec: specs.HeadSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a head, for one task and for three: the checks of a backbone, and the parameters of each task.

    Args:
        spec: The head, for examples or for tokens.
        shapes: Shapes of input features; None for 12 numbers per token, per example and per position of an image.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.heads import head_checks as checks

    return checks(spec, shapes, skip or {}, tolerance)


def task_kind_checks(
    spec: specs.TaskKindSpec,
    *,
    labels: Sequence[Label] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a task kind: label space, loss, decoding, baseline and metrics, and their consistency.

    Args:
        spec: The task kind.
        labels: At least four labels, none missing; None to try words, numbers and lists of both.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.task_kinds import task_kind_checks as checks

    return checks(spec, labels, skip or {}, tolerance)


def loss_checks(
    spec: specs.LossSpec,
    *,
    labels: Literal["classes", "numbers", "vectors"] = "classes",
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a loss: one value per row, independent of other rows, with gradients.

    Args:
        spec: The loss.
        labels: The kind of targets: class indices, or numbers.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.losses import loss_checks as checks

    return checks(spec, labels, skip or {}, tolerance)


def loss_mask_checks(spec: specs.LossMaskSpec, *, skip: Reasons | None = None, tolerance: float = TOLERANCE) -> Checks:
    """Check a loss mask: labels outside the mask have no influence, not even as NaN."""
    from mtl_core.testing.loss_masks import loss_mask_checks as checks

    return checks(spec, skip or {}, tolerance)


def class_weights_checks(
    spec: specs.ClassWeightsSpec, *, counts: Mapping[str, int] = CLASS_COUNTS, skip: Reasons | None = None
) -> Checks:
    """Check class weights: one per class, finite, also for classes without examples.

    Args:
        spec: The class weights.
        counts: Class to its number of training labels.
        skip: Name of each check to skip to the reason.
    """
    from mtl_core.testing.class_weights import class_weights_checks as checks

    return checks(spec, counts, skip or {})


def metric_checks(
    spec: specs.MetricSpec,
    *,
    spaces: Sequence[LabelSpace] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check a metric: the same value over several batches, the direction, and pooling over tasks.

    Args:
        spec: The metric.
        spaces: Label spaces of tasks; None to try classes, lists of classes and numbers.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.metrics import metric_checks as checks

    return checks(spec, spaces, skip or {}, tolerance)


def weighting_checks(spec: specs.WeightingSpec, *, skip: Reasons | None = None, tolerance: float = TOLERANCE) -> Checks:
    """Check a weighting: one finite number, gradients for every loss, absent tasks without influence."""
    from mtl_core.testing.weightings import weighting_checks as checks

    return checks(spec, skip or {}, tolerance)


def optimizer_checks(spec: specs.OptimizerSpec, *, skip: Reasons | None = None) -> Checks:
    """Check an optimizer: it reduces a loss, uses its learning rate, and resumes bit for bit."""
    from mtl_core.testing.optimizers import optimizer_checks as checks

    return checks(spec, skip or {})


def schedule_checks(spec: specs.ScheduleSpec, *, skip: Reasons | None = None) -> Checks:
    """Check a schedule: a finite factor of 0 or more for every step of any run."""
    from mtl_core.testing.schedules import schedule_checks as checks

    return checks(spec, skip or {})


def architecture_checks(
    spec: specs.ArchitectureSpec,
    *,
    shapes: Sequence[FeatureShape] | None = None,
    skip: Reasons | None = None,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Check an architecture with a small input layer and a small backbone, for one task and for three.

    Args:
        spec: The architecture.
        shapes: Shapes of input features; None for 12 numbers per token and 12 numbers per example.
        skip: Name of each check to skip to the reason.
        tolerance: Tolerance for numbers that should be equal.
    """
    from mtl_core.testing.architectures import architecture_checks as checks

    return checks(spec, shapes, skip or {}, tolerance)


def sampling_checks(spec: specs.SamplingSpec, *, skip: Reasons | None = None) -> Checks:
    """Check a sampling strategy: shares of 0 or more, and draws that follow them."""
    from mtl_core.testing.samplings import sampling_checks as checks

    return checks(spec, skip or {})


def tracker_checks(spec: specs.TrackerSpec, *, skip: Reasons | None = None) -> Checks:
    """Check a tracker: complete, resumed and subsequent runs, offline and without side effects."""
    from mtl_core.testing.trackers import tracker_checks as checks

    return checks(spec, skip or {})


def auxiliary_checks(
    spec: specs.AuxiliarySpec, *, data: AuxiliaryData | None = None, skip: Reasons | None = None
) -> Checks:
    """Check an auxiliary task: labels that are valid for its kind, derived without test data.

    Args:
        spec: The auxiliary task.
        data: Examples to derive labels from, some outside the training data; None for sample reviews.
        skip: Name of each check to skip to the reason.
    """
    from mtl_core.testing.auxiliary import auxiliary_checks as checks

    return checks(spec, data, skip or {})
