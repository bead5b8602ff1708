"""The specs of the auxiliary tasks whose labels are a column of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_auxiliary.unseen_classes import mask_unseen_classes
from mtl_core import MtlError
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import HeadField, TaskKindField
from mtl_core.plugins.specs import AuxiliarySpec

if TYPE_CHECKING:
    from mtl_core import Label


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
        labels = mask_unseen_classes(
            self.kind, get_label_column(data, self.label), f"the column '{self.label}'", data
        )
        return [AuxiliaryTask(self.task_name, self.kind, self.head, labels)]


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


def get_label_column(data: AuxiliaryData, name: str) -> Sequence[Label | None]:
    """Return a label column of the data.

    Raises:
        MtlError: If there is no column with this name.
    """
    columns = data.corpus.labels
    if name not in columns:
        raise MtlError(
            f"label: the data has no column '{name}'{did_you_mean(name, columns)} (columns: {join_names(columns)})"
        )
    return columns[name]


def get_data_set_names(data: AuxiliaryData) -> Sequence[str]:
    """Return the name of the data set of each example.

    Raises:
        MtlError: If there is only one data set.
    """
    if not len(data.corpus.sources):
        raise MtlError("source: the experiment has one data set, but `source` needs several (`data_sets:`)")
    return data.corpus.sources
