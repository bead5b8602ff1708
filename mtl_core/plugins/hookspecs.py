"""All hooks that a plugin can implement.

A hook returns *spec classes*: pydantic models that are both the schema of a YAML block and the factory of the part
that the block describes. Mark an implementation with `mtl_core.hookimpl`; implement only the hooks that you need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mtl_core.plugins import contributions, specs

hookspec = pluggy.HookspecMarker("mtl")
hookimpl = pluggy.HookimplMarker("mtl")


@hookspec
def mtl_loaders() -> Sequence[type[specs.LoaderSpec]]:  # type: ignore[empty-body]
    """Read files into a corpus: examples with ids, inputs, and one label column per task."""


@hookspec
def mtl_splitters() -> Sequence[type[specs.SplitterSpec]]:  # type: ignore[empty-body]
    """Split the training examples into training, validation and test data."""


@hookspec
def mtl_encoders() -> Sequence[type[specs.EncoderSpec]]:  # type: ignore[empty-body]
    """Turn raw inputs into compact items, items into batches, and batches into features."""


@hookspec
def mtl_fusions() -> Sequence[type[specs.FusionSpec]]:  # type: ignore[empty-body]
    """Join the features of several input columns."""


@hookspec
def mtl_backbones() -> Sequence[type[specs.BackboneSpec]]:  # type: ignore[empty-body]
    """Build the network that all tasks share."""


@hookspec
def mtl_heads() -> Sequence[type[specs.HeadSpec]]:  # type: ignore[empty-body]
    """Build the task-specific layers of one task, or of a head group."""


@hookspec
def mtl_task_kinds() -> Sequence[type[specs.TaskKindSpec]]:  # type: ignore[empty-body]
    """Define the label space of a task, its loss, the decoding of its outputs, and its baseline."""


@hookspec
def mtl_losses() -> Sequence[type[specs.LossSpec]]:  # type: ignore[empty-body]
    """Compute the loss of each output, unreduced."""


@hookspec
def mtl_loss_masks() -> Sequence[type[specs.LossMaskSpec]]:  # type: ignore[empty-body]
    """Select the labels that count for loss, metrics and class weights."""


@hookspec
def mtl_class_weights() -> Sequence[type[specs.ClassWeightsSpec]]:  # type: ignore[empty-body]
    """Compute the weights of a task's classes in its loss."""


@hookspec
def mtl_metrics() -> Sequence[type[specs.MetricSpec]]:  # type: ignore[empty-body]
    """Build a torchmetrics metric for a task."""


@hookspec
def mtl_weightings() -> Sequence[type[specs.WeightingSpec]]:  # type: ignore[empty-body]
    """Combine the losses of the tasks, or their gradients, into one step."""


@hookspec
def mtl_optimizers() -> Sequence[type[specs.OptimizerSpec]]:  # type: ignore[empty-body]
    """Build a torch optimizer."""


@hookspec
def mtl_schedules() -> Sequence[type[specs.ScheduleSpec]]:  # type: ignore[empty-body]
    """Schedule the learning rate over the steps of a run."""


@hookspec
def mtl_architectures() -> Sequence[type[specs.ArchitectureSpec]]:  # type: ignore[empty-body]
    """Connect backbones and heads: define which parameters the tasks share, and how."""


@hookspec
def mtl_samplings() -> Sequence[type[specs.SamplingSpec]]:  # type: ignore[empty-body]
    """Choose the data set that the next batch is drawn from, if there are several."""


@hookspec
def mtl_trackers() -> Sequence[type[specs.TrackerSpec]]:  # type: ignore[empty-body]
    """Log the metrics of runs to experiment trackers such as TensorBoard or MLflow."""


@hookspec
def mtl_auxiliary_tasks() -> Sequence[type[specs.AuxiliarySpec]]:  # type: ignore[empty-body]
    """Derive auxiliary tasks from the data, which are trained to improve the main tasks."""


@hookspec
def mtl_experiments() -> Path:  # type: ignore[empty-body]
    """Return a folder of experiments (`NAME.yaml`) that can be run by name."""


@hookspec
def mtl_commands() -> Sequence[contributions.Commands]:  # type: ignore[empty-body]
    """Add groups of commands to the command line: `mtl NAME …`. Only called for installed plugins."""


@hookspec
def mtl_services() -> Sequence[contributions.Service]:  # type: ignore[empty-body]
    """Add routes and pages to `mtl serve`, for the runs that they support."""
