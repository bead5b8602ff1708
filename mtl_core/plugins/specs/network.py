"""Specs of the network: backbones, heads, architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Layout, Level, Spec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.architecture import Architecture, NetworkParts
    from mtl_core.nn.features import FeatureShape
    from mtl_core.nn.heads import HeadGroup


@spec_base("backbones")
class BackboneSpec(Spec):
    """Spec of a backbone, the network that all tasks share."""

    layouts: ClassVar[frozenset[Layout]] = frozenset({"vector", "sequence"})
    """The layouts of input features that the backbone reads; a run with others is refused before training."""

    @abstractmethod
    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build a module from `Features` to `Features`; its attribute `output` is a `FeatureShape`.

        Args:
            inputs: The width and the layout of the input features.

        Raises:
            MtlError: If this backbone cannot read such features.
        """

    def get_output_layout(self, inputs: Layout) -> Layout | None:
        """Return the layout of its output for input features of a layout; None (the default) for unknown.

        A known layout lets `mtl validate` refuse heads that do not read it without reading the data.
        """
        return None


@spec_base("heads")
class HeadSpec(Spec):
    """Spec of a head, the task-specific layers of one task or of a head group."""

    level: ClassVar[Level] = "example"
    """Whether the module returns outputs per example, `(batch, outputs)`, per token, `(batch, length, outputs)`, or
    per pixel of the image row by row, `(batch, pixels, outputs)`. A head for tokens declares
    `level: ClassVar[Level] = "token"`, or just `level = "token"`."""
    layouts: ClassVar[frozenset[Layout]] = frozenset({"vector", "sequence"})
    """The layouts of features that the head reads; a head that only calls `Features.mean_pool` reads all three."""
    reads_task_features: ClassVar[bool] = False
    """Whether the head group of `build_group` also reads features per task (`TaskFeatures`). All of its parameters are
    then stacked by task, so that its tasks share nothing. Without it, an architecture with features per task has one
    module per task."""

    @abstractmethod
    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's module, from `Features` to a tensor of outputs (see `level`) or a `HeadOutput`.

        Args:
            inputs: The shape of the backbone's features.
            outputs: The number of outputs that the task needs per example, token or pixel.

        Raises:
            MtlError: If this head cannot read such features, e.g. a head that reads tokens and `sequence=False`.
        """

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Build one module for `tasks` tasks that declare this head with equal parameters.

        Returns:
            A `HeadGroup`, or None for one module per task (the default).
        """
        return None


@spec_base("architectures")
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
