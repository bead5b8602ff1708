"""The spec of the auxiliary task that predicts a label column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mtl_auxiliary.label_columns import get_label_column, mask_unseen_classes
from mtl_core import AuxiliaryData, AuxiliarySpec, AuxiliaryTask, HeadField, TaskKindField, default_type


class AuxiliaryTarget(AuxiliarySpec):
    """Supervised: a label column as an additional target instead of an input feature (Caruana and de Sa, 1997).

    Useful for a feature that is available for training examples but not for predictions, or that is too noisy for
    an input: as a target it still improves the shared features.
    """

    type: Literal["auxiliary-target"] = "auxiliary-target"
    label: str = Field(min_length=1)
    """Name of the label column."""
    kind: TaskKindField = default_type("classification")
    """The task kind of its labels."""
    head: HeadField = default_type("linear")
    """The head, which predicts the labels."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task from the column.

        Raises:
            MtlError: If there is no such column, or its labels do not fit the kind.
        """
        labels = mask_unseen_classes(self.kind, get_label_column(data, self.label), f"the column '{self.label}'", data)
        return [AuxiliaryTask(self.task_name, self.kind, self.head, labels)]
