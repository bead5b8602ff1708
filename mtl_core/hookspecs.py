"""Every hook that a plugin can implement, on one page.

A hook returns *spec classes*: pydantic models that are the YAML block and the factory at once. Mark an
implementation with `mtl_core.hookimpl`; implement only the hooks that you need.
"""

from collections.abc import Sequence
from pathlib import Path

import pluggy

from mtl_core import contributions, specs

hookspec = pluggy.HookspecMarker("mtl")
hookimpl = pluggy.HookimplMarker("mtl")


@hookspec
def mtl_loaders() -> Sequence[type[specs.LoaderSpec]]:  # type: ignore[empty-body]
    """Read files into a corpus: examples with ids, inputs, and a label column for each task."""


@hookspec
def mtl_splitters() -> Sequence[type[specs.SplitterSpec]]:  # type: ignore[empty-body]
    """Divide the training examples into training, validation and test."""


@hookspec
def mtl_encoders() -> Sequence[type[specs.EncoderSpec]]:  # type: ignore[empty-body]
    """Turn raw inputs into compact items, items into batches, and batches into features."""


@hookspec
def mtl_backbones() -> Sequence[type[specs.BackboneSpec]]:  # type: ignore[empty-body]
    """Build the network that all tasks share."""


@hookspec
def mtl_heads() -> Sequence[type[specs.HeadSpec]]:  # type: ignore[empty-body]
    """Build the part of the network that belongs to one task, or to a group of like tasks."""


@hookspec
def mtl_task_kinds() -> Sequence[type[specs.TaskKindSpec]]:  # type: ignore[empty-body]
    """Say what a label is: its space, its loss, how outputs are read, what the baseline is."""


@hookspec
def mtl_losses() -> Sequence[type[specs.LossSpec]]:  # type: ignore[empty-body]
    """Measure how wrong each single output is."""


@hookspec
def mtl_loss_masks() -> Sequence[type[specs.LossMaskSpec]]:  # type: ignore[empty-body]
    """Say which labels count for loss, metrics and class weights."""


@hookspec
def mtl_class_weights() -> Sequence[type[specs.ClassWeightsSpec]]:  # type: ignore[empty-body]
    """Weigh the classes of a task against each other in its loss."""


@hookspec
def mtl_metrics() -> Sequence[type[specs.MetricSpec]]:  # type: ignore[empty-body]
    """Build a torchmetrics metric for a task."""


@hookspec
def mtl_weightings() -> Sequence[type[specs.WeightingSpec]]:  # type: ignore[empty-body]
    """Combine the losses of the tasks into the one that is minimised."""


@hookspec
def mtl_optimizers() -> Sequence[type[specs.OptimizerSpec]]:  # type: ignore[empty-body]
    """Build a torch optimizer."""


@hookspec
def mtl_schedules() -> Sequence[type[specs.ScheduleSpec]]:  # type: ignore[empty-body]
    """Say how the learning rate moves over the steps of a run."""


@hookspec
def mtl_architectures() -> Sequence[type[specs.ArchitectureSpec]]:  # type: ignore[empty-body]
    """Say how backbones and heads are joined: which parameters the tasks share, and how."""


@hookspec
def mtl_samplings() -> Sequence[type[specs.SamplingSpec]]:  # type: ignore[empty-body]
    """Say from which data set the next batch comes, where there are several."""


@hookspec
def mtl_trackers() -> Sequence[type[specs.TrackerSpec]]:  # type: ignore[empty-body]
    """Keep the figures of runs in other places, such as TensorBoard or MLflow."""


@hookspec
def mtl_auxiliary_tasks() -> Sequence[type[specs.AuxiliarySpec]]:  # type: ignore[empty-body]
    """Derive further tasks from the data, which are there to help the others."""


@hookspec
def mtl_experiments() -> Path:  # type: ignore[empty-body]
    """Name a folder of experiments (`NAME.yaml`) that can be run by name."""


@hookspec
def mtl_commands() -> Sequence[contributions.Commands]:  # type: ignore[empty-body]
    """Add groups of commands to the command line: `mtl NAME …`. Asked of installed plugins only."""


@hookspec
def mtl_services() -> Sequence[contributions.Service]:  # type: ignore[empty-body]
    """Add routes and pages to `mtl serve`, for runs that they are for."""
