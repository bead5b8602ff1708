"""Auxiliary tasks whose labels stand in a column that no main task learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_auxiliary.seen_labels import only_seen
from mtl_core import MtlError
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField, TaskKindField
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.errors import did_you_mean, listed
from mtl_core.specs import AuxiliarySpec

if TYPE_CHECKING:
    from mtl_core import Label


class Inverse(AuxiliarySpec):
    """Supervised: something that could have been an input is learned as an output (Caruana and de Sa, 1997).

    Useful for what is known of training examples but not when the network is used, or is too noisy to be relied on:
    as an output it still shapes what the tasks share.
    """

    type: Literal["inverse"] = "inverse"
    label: str = Field(min_length=1)
    """The column."""
    kind: TaskKindField = default_type("classification")
    """What its labels are."""
    head: HeadField = default_type("linear")
    """Learns them."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Take the column.

        Raises:
            MtlError: If there is no such column, or its labels do not fit the kind.
        """
        labels = only_seen(self.kind, column(data, self.label), f"the column '{self.label}'", data)
        return [AuxiliaryTask(self.task_name, self.kind, self.head, labels)]


class Adversarial(AuxiliarySpec):
    """Supervised, the wrong way round: the shared features learn not to tell something (Ganin and Lempitsky, 2015).

    A head learns to tell, for example, the domain that an example comes from; the part of the network that tasks
    share gets its gradient turned round (head `gradient-reversal`), so that the features hold less and less of it.
    The more the head's accuracy falls to its baseline, the better.
    """

    type: Literal["adversarial"] = "adversarial"
    label: str | None = Field(default=None, min_length=1)
    """The column that features should not tell."""
    source: bool = False
    """Take the data set that an example comes from, where there are several (`data_sets:`), instead of a column."""
    kind: TaskKindField = default_type("classification")
    """What its labels are."""
    head: HeadField = default_type("linear")
    """Learns them, behind the reversal."""
    strength: NonNegativeFloat = 1.0
    """What the turned gradient is multiplied with, besides `weight` and `schedule`."""

    @model_validator(mode="after")
    def _one_origin(self) -> Adversarial:
        if (self.label is None) == (not self.source):
            found = "both" if self.source else "neither"
            raise ValueError(f"expected `label: COLUMN` or `source: true`, found {found}")
        return self

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Take the column, or the names of the data sets.

        Raises:
            MtlError: If there is no such column, there are no several data sets, or labels do not fit the kind.
        """
        found = column(data, self.label) if self.label is not None else sources(data)
        where = "the names of data sets" if self.source else f"the column '{self.label}'"
        labels = only_seen(self.kind, found, where, data)
        head = GradientReversal(head=self.head, strength=self.strength)
        return [AuxiliaryTask(self.task_name, self.kind, head, labels)]


def column(data: AuxiliaryData, name: str) -> Sequence[Label | None]:
    """Give a label column of the data.

    Raises:
        MtlError: If there is none of this name.
    """
    known = data.corpus.labels
    if name not in known:
        raise MtlError(
            f"label: the data has no column '{name}'{did_you_mean(name, known)} (columns: {listed(known)})"
        )
    return known[name]


def sources(data: AuxiliaryData) -> Sequence[str]:
    """Give the data set that each example comes from.

    Raises:
        MtlError: If there is only one.
    """
    if not len(data.corpus.sources):
        raise MtlError("source: the experiment has one data set, so there is nothing to tell apart (`data_sets:`)")
    return data.corpus.sources
