"""The base classes of all specs that a plugin can provide.

A spec is both the schema of a YAML block and a factory: its fields are the keys, its docstring is the
documentation, `build` (or `load`, `split`) is the factory. Values that are known only at run time are arguments of
`build`. This module, like every module that declares specs, does not import torch: implementations are imported
inside `build`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, SerializeAsAny

from mtl_core.errors import MtlError
from mtl_core.plugins.registry_validator import ExtensionPointMark, default_type, registry_validator
from mtl_core.plugins.strict_model import StrictModel

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from accelerate.tracking import GeneralTracker
    from numpy.typing import NDArray
    from torch import nn

    from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
    from mtl_core.data.corpus import Corpus
    from mtl_core.data.encoder import Encoder
    from mtl_core.data.label_space import LabelSpace, LabelStatistics
    from mtl_core.data.splitting import SplitUnits
    from mtl_core.nn.architecture import Architecture, NetworkParts
    from mtl_core.nn.features import FeatureShape
    from mtl_core.nn.heads import HeadGroup
    from mtl_core.nn.task_kind import TaskKind
    from mtl_core.tracking.tracked_run import TrackedRun
    from mtl_core.training.losses import LossMask
    from mtl_core.training.weighting import Weighting


Level = Literal["example", "token"]
"""Whether there is one label (and one output) per example or per token."""
LEVELS: tuple[Level, ...] = ("example", "token")


class Spec(StrictModel):
    """A YAML block with a `type:`, and the factory of the part that it describes.

    A subclass declares `type` as a literal with a default: `type: Literal["bilstm"] = "bilstm"`.
    """

    type: str

    @classmethod
    def type_name(cls) -> str:
        """Return the name that selects this spec in YAML."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def unknown_key_message(cls, key: str) -> str:
        """Add the type to the message, since keys of the previous type often remain when a type is changed."""
        return super().unknown_key_message(key).replace("keys here:", f"keys of type '{cls.type_name()}':")

    def list_licence_notes(self) -> Sequence[str]:
        """Return notes on the licences of the data or weights of this part, one sentence each, for model cards."""
        return ()


class LoaderSpec(Spec):
    """Spec of a loader, which reads files into a `Corpus`."""

    reads_json_lines: ClassVar[bool] = False
    """Whether `load_file` reads `.jsonl` files. `mtl predict` reads objects with a `text` without it."""
    sample_texts: ClassVar[Sequence[str]] = ()
    """Example texts for the page of `mtl serve`; if empty, texts of the run's predictions are shown."""

    @abstractmethod
    def load(self) -> Corpus:
        """Read all files that this block names.

        Raises:
            MtlError: If a file is missing or malformed; the message names file, line and example.
        """

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another file of the same format, labelled or not, as test data.

        Args:
            path: The file.
            columns: The label columns of the run. The file may have other columns, or none of these.

        Raises:
            MtlError: If this loader has no single-file format, or the file is missing or malformed.
        """
        raise MtlError(f"the loader '{self.type}' cannot read a single file such as {path}")

    def from_text(self, text: str) -> object:
        """Convert a text, as typed or read from a line of a file, into an input.

        Raises:
            MtlError: If this loader's inputs are not texts.
        """
        raise MtlError(f"the loader '{self.type}' does not read texts, so this run cannot predict from text")


class SplitterSpec(Spec):
    """Spec of a splitter, which splits units (examples, with identical inputs merged)."""

    @property
    def replaces_test(self) -> bool:
        """Whether its test split replaces the test split that the data itself declares."""
        return False

    @abstractmethod
    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign each unit to a split.

        Args:
            units: The units to split.
            seed: The only source of randomness; the global random state must not change.

        Returns:
            Shape `(units,)`: 0 for training, 1 for validation, 2 for test.
        """


class EncoderSpec(Spec):
    """Spec of an encoder, which converts raw inputs into the inputs of the backbone."""

    @abstractmethod
    def build(self) -> Encoder[Any, Any]:
        """Build an encoder that is not fitted yet."""


class BackboneSpec(Spec):
    """Spec of a backbone, the network that all tasks share."""

    @abstractmethod
    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build a module from `Features` to `Features`; its attribute `output` is a `FeatureShape`.

        Args:
            inputs: The width of the input features, and whether they are a sequence.

        Raises:
            MtlError: If this backbone cannot read such features.
        """


class HeadSpec(Spec):
    """Spec of a head, the task-specific layers of one task or of a head group."""

    level: ClassVar[Level] = "example"
    """Whether the module returns outputs per example, `(batch, outputs)`, or per token, `(batch, length, outputs)`.
    A head for tokens declares `level: ClassVar[Level] = "token"`, or just `level = "token"`."""

    @abstractmethod
    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's module, from `Features` to a tensor of outputs (see `level`) or a `HeadOutput`.

        Args:
            inputs: The shape of the backbone's features.
            outputs: The number of outputs that the task needs per example, or per token.

        Raises:
            MtlError: If this head cannot read such features, e.g. a head that reads tokens and `sequence=False`.
        """

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Build one module for `tasks` tasks that declare this head with equal parameters.

        Returns:
            A `HeadGroup`, or None for one module per task (the default).
        """
        return None


class LossSpec(Spec):
    """Spec of a loss of each output, unreduced."""

    @abstractmethod
    def build(self) -> nn.Module:
        """Build a module from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`, unreduced."""


class LossMaskSpec(Spec):
    """Spec of a loss mask, which selects the labels that count."""

    def list_excluded_labels(self) -> frozenset[str]:
        """Return the labels that are never a class of a task with this mask."""
        return frozenset()

    @abstractmethod
    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Build a function from targets `(batch, tasks, ...)` to a boolean tensor `(batch, tasks)`.

        For tasks that label tokens, it maps targets `(batch, tasks, length)` to a tensor of the same shape.

        Args:
            spaces: The label space of each task, in the order of the targets' columns.
        """


class ClassWeightsSpec(Spec):
    """Spec of the weights of a task's classes in its loss."""

    @abstractmethod
    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Return one weight per class.

        Args:
            counts: The number of training labels of each class, without masked labels.
        """


class MetricSpec(Spec):
    """Spec of a torchmetrics metric of a task."""

    pooled: ClassVar[bool] = True
    """Whether tasks are pooled by the mean weighted with their label counts (valid for accuracies)."""
    pooled_by_sums: ClassVar[bool] = False
    """Whether tasks are pooled by adding up the sums of `label_sums` (micro averages)."""
    higher_is_better: ClassVar[bool] = True
    """Whether a higher value is better, for the selection of the best epoch."""
    scalar: ClassVar[bool] = True
    """Whether the value is one number, which has a column in tables."""

    def key(self) -> str:
        """Return the name of the metric in `metrics.json` and in tables."""
        return self.type.replace("-", "_")

    def select_rows(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        """Return a mask `(n,)` of the rows of the labelled targets `(n, ...)` that it uses; by default all rows."""
        import torch

        return torch.ones(len(targets), dtype=torch.bool, device=targets.device)

    @abstractmethod
    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build a metric that is updated with outputs `(n, outputs)` and targets `(n,)`."""

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Compute each label's contribution to the sums behind the metric, for fast resampling in comparisons.

        Args:
            space: The label space.
            outputs: The outputs `(n, outputs)`, as in the metric's `update`.
            targets: The targets `(n,)`, as in the metric's `update`.

        Returns:
            `(n, sums)`, from which `of_sums` computes the value; None (the default) if the metric is not a function
            of sums. Then every resampled value is computed by the metric itself.
        """
        return None

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the metric from sums over labels; by default the first sum divided by the second, a mean.

        Args:
            sums: Shape `(..., sums)`.

        Returns:
            Shape `(...)`; NaN where the metric is undefined.
        """
        quotient: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
        return quotient


class TaskKindSpec(Spec):
    """Spec of a kind of task: label space, loss, decoding, metrics."""

    level: ClassVar[Level] = "example"
    """Whether there is one label per example or per token."""
    reads_inputs: ClassVar[bool] = False
    """Whether labels are derived from the inputs, so that no label column is needed."""

    @abstractmethod
    def build_space(self, label_statistics: LabelStatistics) -> LabelSpace:
        """Build the label space from the declaration, or from the labels of the data.

        Raises:
            MtlError: If the labels do not fit a task of this kind.
        """

    @abstractmethod
    def restore_space(self, state: Mapping[str, Any]) -> LabelSpace:
        """Restore the label space from the result of `LabelSpace.state`."""

    @abstractmethod
    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time object of the task: loss, output width, decoding, metrics.

        Args:
            space: The label space.
            counts: The number of training labels of each class, without masked labels; empty for numbers.
        """


class ArchitectureSpec(Spec):
    """Spec of an architecture, which connects backbones and heads."""

    task_specific_features: ClassVar[bool] = True
    """Whether each task reads task-specific features (soft sharing), or all read the same (hard sharing)."""

    @abstractmethod
    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the module from a batch of inputs to the features that heads read.

        Args:
            parts: Builds input layers and backbones.
            tasks: The names of the tasks.
        """


class SamplingSpec(Spec):
    """Spec of a sampling strategy, which chooses the data set of the next batch."""

    @abstractmethod
    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return the share of the draws of each data set; shares are normalised to a sum of 1.

        Args:
            batches: The number of training batches of each data set.
            progress: The progress of the run, from 0 (first step) to 1 (last step).
        """

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        """Choose the data set of the batch of each step.

        The drawn shares follow `shares` at all times (they differ by about one draw per data set at the end of each
        window of draws), and the order within a window is random.

        Args:
            batches: The number of training batches of each data set; their sum is the number of steps per epoch.
            steps: The steps, counted from the first step of the run.
            total: The number of steps of the whole run.
            seed: The only source of randomness.

        Returns:
            Shape `(len(steps),)`: indices into `batches`.
        """
        from mtl_core.training.sampling import draw_by_quota

        return draw_by_quota(lambda progress: self.compute_shares(batches, progress), batches, steps, total, seed)


class WeightingSpec(Spec):
    """Spec of a weighting, which combines the losses of the tasks, or their gradients, into one step."""

    balances_gradients: ClassVar[bool] = False
    """Whether it compares the tasks' gradients with respect to shared parameters."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules, each with its `pip install` argument. A run fails if one is missing."""
        return {}

    @abstractmethod
    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build a module from `TaskLosses` to a scalar.

        Args:
            tasks: The names of the tasks, in the order of the losses.
            weights: The `weight` of each task in the experiment.
        """


class OptimizerSpec(Spec):
    """Spec of a torch optimizer."""

    @abstractmethod
    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Build the optimizer."""


class ScheduleSpec(Spec):
    """Spec of a schedule of a learning rate, or of an auxiliary task's weight, over the steps of a run."""

    @abstractmethod
    def compute_factor(self, step: int, total: int) -> float:
        """Return the factor that the learning rate (or weight) is multiplied with.

        Args:
            step: The next step, counted from 0.
            total: The number of steps of the run.
        """


ScheduleField = Annotated[
    SerializeAsAny[ScheduleSpec], registry_validator("schedules"), ExtensionPointMark("schedules")
]


class TrackerSpec(Spec):
    """Spec of an experiment tracker, which logs the metrics of a run."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules, each with its `pip install` argument. A run fails if one is missing."""
        return {}

    @abstractmethod
    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build a tracker that is not started yet.

        It receives the config (flat keys; strings, numbers and booleans), the metrics of each epoch, and the final
        metrics. Names consist of letters, digits and `_ - . /`. The tracker must restore all global state when it
        finishes; only environment variables are restored for it.

        Args:
            run: The run, and the folder that the tracker may write to: files in the run directory move with it.

        Raises:
            MtlError: If it cannot write to its destination.
        """


class AuxiliarySpec(Spec):
    """A task that is trained to improve the main tasks: its labels are derived from inputs or other columns."""

    name: str | None = Field(default=None, min_length=1)
    """The name of the auxiliary task; its type if left out."""
    weight: NonNegativeFloat = 1.0
    """The weight of its loss relative to the main tasks' losses; at 0 the loss is not computed."""
    schedule: ScheduleField = default_type("constant")
    """The schedule of its weight: `{type: linear}` decreases it, `{type: constant, warmup: 0.2}` increases it."""
    save_head: bool = False
    """Whether to save its head with the model, so that `predict` returns its labels too."""

    @property
    def task_name(self) -> str:
        """The name of the auxiliary task."""
        return self.name or self.type

    @abstractmethod
    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Derive the labels of the auxiliary tasks, with their task kinds and heads.

        Args:
            data: The examples and their splits: only training examples may be used for fitting.

        Raises:
            MtlError: If the labels cannot be derived from this data.
        """
