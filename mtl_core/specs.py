"""The base classes of everything that a plugin can offer.

A spec is the YAML block and the factory at once: its fields are the keys, its docstring the documentation,
`build` (or `load`, `split`) the factory. What is known only at run time comes in through `build`. This module,
like every module that declares specs, imports no torch: implementations are imported inside `build`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_core.config.strict import StrictModel
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray
    from torch import nn

    from mtl_core.data.corpus import Corpus, Label
    from mtl_core.data.encoder import Encoder
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.splitting import SplitUnits
    from mtl_core.model.features import FeatureShape
    from mtl_core.model.heads import HeadGroup
    from mtl_core.training.kinds import TaskKind
    from mtl_core.training.losses import LossMask
    from mtl_core.training.weighting import Weighting


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


class LoaderSpec(Spec):
    """Reads files into a `Corpus`."""

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

    @abstractmethod
    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's module, from `Features` to a tensor `(batch, outputs)` or a `HeadOutput`.

        Args:
            inputs: What the backbone gives.
            outputs: How many numbers the task needs for an example.
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
    higher_is_better: ClassVar[bool] = True
    """Whether a higher figure is better, where epochs are chosen by it."""
    scalar: ClassVar[bool] = True
    """Whether the figure is one number, and so has a column in tables."""

    def key(self) -> str:
        """The name of the figure in `metrics.json` and in tables."""
        return self.type.replace("-", "_")

    def scored(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        """Say which rows `(n,)` of the targets this metric looks at; all by default."""
        return targets >= 0

    @abstractmethod
    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Make a metric that is updated with outputs `(n, outputs)` and targets `(n,)`."""


class TaskKindSpec(Spec):
    """Says what a label is."""

    @abstractmethod
    def space(self, labels: Iterable[Label], excluded: frozenset[str]) -> LabelSpace:
        """Make the label space, from the declaration or from the training labels that were found."""

    @abstractmethod
    def restore_space(self, state: Mapping[str, Any]) -> LabelSpace:
        """Make the label space again from what `LabelSpace.state` gave."""

    @abstractmethod
    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side: loss, output width, decoding, metrics.

        Args:
            space: The label space.
            counts: How often each class stands in the training labels, masked labels left out.
        """


class WeightingSpec(Spec):
    """Combines the losses of the tasks into the one that is minimised."""

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
    """Says how the learning rate moves over the steps of a run."""

    @abstractmethod
    def factor(self, step: int, total: int) -> float:
        """Give what the learning rate is multiplied with.

        Args:
            step: The step that is about to be taken, counted from 0.
            total: The number of steps that the run has.
        """
