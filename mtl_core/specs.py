"""The base classes of everything that a plugin can offer.

A spec is the YAML block and the factory at once: its fields are the keys, its docstring the documentation,
`build` (or `load`, `split`) the factory. What is known only at run time comes in through `build`. This module,
like every module that declares specs, imports no torch: implementations are imported inside `build`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, SerializeAsAny

from mtl_core.config.by_registry import SeamMark, by_registry, default_type
from mtl_core.config.strict import StrictModel
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from accelerate.tracking import GeneralTracker
    from numpy.typing import NDArray
    from torch import nn

    from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
    from mtl_core.data.corpus import Corpus
    from mtl_core.data.encoder import Encoder
    from mtl_core.data.label_space import FoundLabels, LabelSpace
    from mtl_core.data.splitting import SplitUnits
    from mtl_core.model.architecture import Architecture, NetworkParts
    from mtl_core.model.features import FeatureShape
    from mtl_core.model.heads import HeadGroup
    from mtl_core.tracking.tracked_run import TrackedRun
    from mtl_core.training.kinds import TaskKind
    from mtl_core.training.losses import LossMask
    from mtl_core.training.weighting import Weighting


Level = Literal["example", "token"]
"""Whether there is one label (and one output) an example, or one a token."""
LEVELS: tuple[Level, ...] = ("example", "token")


class Spec(StrictModel):
    """A YAML block with a `type:`, and the factory of what it describes.

    A subclass gives `type` a literal and a default: `type: Literal["bilstm"] = "bilstm"`.
    """

    type: str

    @classmethod
    def type_name(cls) -> str:
        """The name by which YAML picks this spec."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def unknown_key_message(cls, key: str) -> str:
        """Name the type beside the key, since a key often stays behind when a type is switched."""
        return super().unknown_key_message(key).replace("keys here:", f"keys of type '{cls.type_name()}':")

    def licence_notes(self) -> Sequence[str]:
        """What is to be minded about data or weights that this part brings: a sentence each, for model cards."""
        return ()


class LoaderSpec(Spec):
    """Reads files into a `Corpus`."""

    reads_json_lines: ClassVar[bool] = False
    """Whether `load_file` reads `.jsonl` files. Objects that have a `text` are read without it by `mtl predict`."""
    sample_texts: ClassVar[Sequence[str]] = ()
    """Texts of our own making to try a network with, on the page of `mtl serve`; some of the run's own if empty."""

    @abstractmethod
    def load(self) -> Corpus:
        """Read everything that this block names.

        Raises:
            MtlError: If a file is missing or malformed; the message names file, line and example.
        """

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read one more file of the same format, labelled or not, as test data.

        Args:
            path: The file.
            columns: The label columns that a run knows. The file may have others, or none.

        Raises:
            MtlError: If this loader has no single-file format, or the file is missing or malformed.
        """
        raise MtlError(f"the loader '{self.type}' cannot read a single file such as {path}")

    def from_text(self, text: str) -> object:
        """Turn a piece of text, as typed or read from a line of a file, into an input.

        Raises:
            MtlError: If this loader's inputs are not texts.
        """
        raise MtlError(f"the loader '{self.type}' does not read texts, so this run cannot predict from text")


class SplitterSpec(Spec):
    """Divides units (examples, identical inputs merged) into parts."""

    @property
    def replaces_test(self) -> bool:
        """Whether its test part is all of it, and the test part that the data itself states is set aside."""
        return False

    @abstractmethod
    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign each unit to a part.

        Args:
            units: What is to be divided.
            seed: The only source of randomness; global random state must be left as it was.

        Returns:
            Shape `(units,)`: 0 for training, 1 for validation, 2 for test.
        """


class EncoderSpec(Spec):
    """Turns raw inputs into what the backbone reads."""

    @abstractmethod
    def build(self) -> Encoder[Any, Any]:
        """Make an encoder that has seen no data yet."""


class BackboneSpec(Spec):
    """Builds the network that all tasks share."""

    @abstractmethod
    def build(self, inputs: FeatureShape) -> nn.Module:
        """Make a module from `Features` to `Features`; its attribute `output` is a `FeatureShape`.

        Args:
            inputs: Width of the incoming features and whether they come as a sequence.

        Raises:
            MtlError: If this backbone cannot read such features.
        """


class HeadSpec(Spec):
    """Builds the part of the network that belongs to one task, or to a group of like tasks."""

    level: ClassVar[Level] = "example"
    """Whether the module gives outputs an example, `(batch, outputs)`, or a token, `(batch, length, outputs)`.
    A head for tokens says `level: ClassVar[Level] = "token"`, or plainly `level = "token"`."""

    @abstractmethod
    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's module, from `Features` to a tensor of outputs (see `level`) or a `HeadOutput`.

        Args:
            inputs: What the backbone gives.
            outputs: How many numbers the task needs for an example, or for a token.

        Raises:
            MtlError: If this head cannot read such features: a head that looks at tokens, of `sequence=False`.
        """

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Make one module for `tasks` tasks that declare this head with equal parameters.

        Returns:
            A `HeadGroup`, or None for one module a task (the default).
        """
        return None


class LossSpec(Spec):
    """Measures how wrong each single output is."""

    @abstractmethod
    def build(self) -> nn.Module:
        """Make a module from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`, unreduced."""


class LossMaskSpec(Spec):
    """Says which labels count."""

    def excluded(self) -> frozenset[str]:
        """Labels that are never a class of a task with this mask."""
        return frozenset()

    @abstractmethod
    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Make a function from targets `(batch, tasks, ...)` to a boolean tensor `(batch, tasks)`.

        For tasks that label tokens, it is from `(batch, tasks, length)` to a tensor of that shape.

        Args:
            spaces: The label space of each task, in the order of the targets' columns.
        """


class ClassWeightsSpec(Spec):
    """Weighs the classes of a task against each other in its loss."""

    @abstractmethod
    def weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Give one weight a class.

        Args:
            counts: How often each class stands in the training labels, masked labels left out.
        """


class MetricSpec(Spec):
    """Builds a torchmetrics metric for a task."""

    pooled: ClassVar[bool] = True
    """Whether tasks are put together by a mean weighted with their counts (true of accuracies)."""
    pooled_by_sums: ClassVar[bool] = False
    """Whether tasks are put together by adding up what `label_sums` gives (micro figures)."""
    higher_is_better: ClassVar[bool] = True
    """Whether a higher figure is better, where epochs are chosen by it."""
    scalar: ClassVar[bool] = True
    """Whether the figure is one number, and so has a column in tables."""

    def key(self) -> str:
        """The name of the figure in `metrics.json` and in tables."""
        return self.type.replace("-", "_")

    def scored(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        """Say which rows `(n,)` of the targets `(n, ...)`, all of them labelled, it looks at; all by default."""
        import torch

        return torch.ones(len(targets), dtype=torch.bool, device=targets.device)

    @abstractmethod
    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Make a metric that is updated with outputs `(n, outputs)` and targets `(n,)`."""

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Give what each label adds to the sums that the figure is made of, so that comparisons resample it fast.

        Args:
            space: The label space.
            outputs: As the metric is updated with.
            targets: As the metric is updated with.

        Returns:
            `(n, sums)`, from which `of_sums` makes the figure; None (the default) if it is not made of sums, and
            then every resampled figure is computed by the metric itself.
        """
        return None

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Make the figure of sums over labels; by default the first divided by the second, which makes a mean.

        Args:
            sums: `(..., sums)`.

        Returns:
            `(...)`; NaN where it is undefined.
        """
        quotient: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
        return quotient


class TaskKindSpec(Spec):
    """Says what a label is."""

    level: ClassVar[Level] = "example"
    """Whether an example has one label, or each of its tokens has one."""
    reads_inputs: ClassVar[bool] = False
    """Whether labels are made from the inputs themselves, so that no label column is needed."""

    @abstractmethod
    def space(self, found: FoundLabels) -> LabelSpace:
        """Make the label space, from the declaration or from what was found.

        Raises:
            MtlError: If the labels do not make a task of this kind.
        """

    @abstractmethod
    def restore_space(self, state: Mapping[str, Any]) -> LabelSpace:
        """Make the label space again from what `LabelSpace.state` gave."""

    @abstractmethod
    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side: loss, output width, decoding, metrics.

        Args:
            space: The label space.
            counts: How often each class stands in the training labels, masked labels left out; empty for numbers.
        """


class ArchitectureSpec(Spec):
    """Says how backbones and heads are joined."""

    own_features: ClassVar[bool] = True
    """Whether each task reads features of its own (soft sharing), or all read the same (hard sharing)."""

    @abstractmethod
    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Make the module from a batch of inputs to the features that heads read.

        Args:
            parts: Makes input layers and backbones.
            tasks: The tasks' names.
        """


class SamplingSpec(Spec):
    """Says from which data set the next batch comes, where there are several."""

    @abstractmethod
    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Give each data set's share of the draws; they are brought to a sum of 1.

        Args:
            batches: How many batches each data set's training examples make.
            progress: Where the run stands, from 0 (first step) to 1 (last).
        """

    def draws(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        """Say for every step of a run which data set its batch comes from.

        Drawn shares follow the stated ones at every moment (they differ by about one draw a data set at the end of
        each window of draws), and the order within a window is random.

        Args:
            batches: How many batches each data set's training examples make; as many steps are an epoch.
            steps: The steps, counted from the run's first.
            total: Steps of the whole run.
            seed: The only source of randomness.

        Returns:
            Shape `(len(steps),)`: places in `batches`.
        """
        from mtl_core.training.sampling import quota_draws

        return quota_draws(lambda progress: self.shares(batches, progress), batches, steps, total, seed)


class WeightingSpec(Spec):
    """Combines the losses of the tasks, or their gradients, into one step."""

    balances_gradients: ClassVar[bool] = False
    """Whether it compares the gradients that tasks have at parameters that they share."""

    def needs(self) -> Mapping[str, str]:
        """Modules that must be there, each with what `pip` installs for it. A run is refused if one is missing."""
        return {}

    @abstractmethod
    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make a module from `TaskLosses` to a scalar.

        Args:
            tasks: Names of the tasks, in the order of the losses.
            weights: Each task's `weight` from the experiment.
        """


class OptimizerSpec(Spec):
    """Builds a torch optimizer."""

    @abstractmethod
    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimizer."""


class ScheduleSpec(Spec):
    """Says how a learning rate, or an auxiliary task's weight, moves over the steps of a run."""

    @abstractmethod
    def factor(self, step: int, total: int) -> float:
        """Give what it is multiplied with.

        Args:
            step: The step that is about to be taken, counted from 0.
            total: The number of steps that the run has.
        """


ScheduleField = Annotated[SerializeAsAny[ScheduleSpec], by_registry("schedules"), SeamMark("schedules")]


class TrackerSpec(Spec):
    """Keeps the figures of a run in another place as well, where runs can be looked at together."""

    def needs(self) -> Mapping[str, str]:
        """Name the modules that must be there, each with what `pip` installs for it; a run is refused without."""
        return {}

    @abstractmethod
    def build(self, run: TrackedRun) -> GeneralTracker:
        """Make a tracker that is not started yet.

        It is told the config (flat keys; texts, numbers and truth values), the figures of each epoch, and the final
        ones. Names are of letters, digits and `_ - . /`. Nothing global may be left changed when it has finished,
        but for environment variables, which are put back.

        Args:
            run: Which run it is, and where it may write: what stands in the run directory goes with it.

        Raises:
            MtlError: If it cannot write where it is to.
        """


class AuxiliarySpec(Spec):
    """A task that is there to help the others: its labels are derived from the inputs or from other columns."""

    name: str | None = Field(default=None, min_length=1)
    """The auxiliary task's name; its type if left out."""
    weight: NonNegativeFloat = 1.0
    """How much its loss counts beside the main tasks'; at 0 it is not computed."""
    schedule: ScheduleField = default_type("constant")
    """How its weight moves over the run: `{type: linear}` lets it fall, `{type: constant, warm_up: 0.2}` rise."""
    keep: bool = False
    """Save its head with the model, so that `predict` answers it too."""

    @property
    def task_name(self) -> str:
        """The auxiliary task's name."""
        return self.name or self.type

    @abstractmethod
    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Derive labels, and say what kind of task they make and which head learns it.

        Args:
            data: The examples, and which of them are training data: nothing may be learned from others.

        Raises:
            MtlError: If the labels cannot be had from this data.
        """
