"""The spec of the auxiliary task that removes information about a label from the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, NonNegativeFloat, model_validator

from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_auxiliary.label_columns import get_data_set_names, get_label_column, mask_unseen_classes
from mtl_core import AuxiliaryData, AuxiliarySpec, AuxiliaryTask, HeadField, TaskKindField, default_type


class Adversarial(AuxiliarySpec):
    """Supervised, adversarial: shared features that do not encode a label (Ganin and Lempitsky, 2015).

    A head learns to predict, for example, the domain of an example. The shared part of the network receives the
    reversed gradient (head `gradient-reversal`), which removes this information from the features. The closer the
    accuracy of the head is to its baseline, the better.
    """

    type: Literal["adversarial"] = "adversarial"
    label: str | None = Field(default=None, min_length=1)
    """Name of the label column that the features should not encode."""
    source: bool = False
    """Use the name of the example's data set as the label, instead of a column; it needs several `data_sets:`."""
    kind: TaskKindField = default_type("classification")
    """The task kind of its labels."""
    head: HeadField = default_type("linear")
    """The head behind the gradient reversal layer."""
    strength: NonNegativeFloat = 1.0
    """Factor of the reversed gradient, in addition to `weight` and `schedule`."""

    @model_validator(mode="after")
    def _validate_label_source(self) -> Adversarial:
        if (self.label is None) == (not self.source):
            setting = "both" if self.source else "neither"
            raise ValueError(f"expected `label: COLUMN` or `source: true`, found {setting}")
        return self

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task from the column, or from the names of the data sets.

        Raises:
            MtlError: If there is no such column, there is only one data set, or the labels do not fit the kind.
        """
        values = get_label_column(data, self.label) if self.label is not None else get_data_set_names(data)
        description = "the names of data sets" if self.source else f"the column '{self.label}'"
        labels = mask_unseen_classes(self.kind, values, description, data)
        head = GradientReversal(head=self.head, strength=self.strength)
        return [AuxiliaryTask(self.task_name, self.kind, head, labels)]
