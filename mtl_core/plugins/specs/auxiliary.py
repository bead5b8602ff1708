"""Spec of auxiliary tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, NonNegativeFloat, SerializeAsAny

from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.registry_validator import ExtensionPointMark, default_type, registry_validator
from mtl_core.plugins.spec import Spec
from mtl_core.plugins.specs.training import ScheduleSpec

if TYPE_CHECKING:
    from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask


ScheduleField = Annotated[
    SerializeAsAny[ScheduleSpec], registry_validator("schedules"), ExtensionPointMark("schedules")
]


@spec_base("auxiliary_tasks")
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
