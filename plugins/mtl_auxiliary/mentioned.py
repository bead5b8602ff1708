"""The auxiliary task of guessing which main tasks have something to say about an input."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from mtl_auxiliary.main_tasks import label_names, main_labels, names_in
from mtl_core import Label, MtlError
from mtl_core.builtins.task_kinds.multilabel import MultiLabel
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.errors import did_you_mean, listed
from mtl_core.specs import AuxiliarySpec

Columns = Mapping[str, Sequence[Label | None]]


class Mentioned(AuxiliarySpec):
    """Supervised, by labels that are there anyway: which of the main tasks have something to say about the input.

    For aspects of a review, that is which of them it speaks of (aspect category detection, subtask 3 of
    SemEval-2014 task 4; Pontiki et al., 2014). An example counts only if it is known of every task whether it has
    something to say: a missing label says nothing, and leaves the whole example out.
    """

    type: Literal["mentioned"] = "mentioned"
    over: Annotated[list[str], Field(min_length=1)] | None = None
    """The main tasks that are asked about; all if left out."""
    absent: Annotated[list[str], Field(min_length=1)] = ["absent"]
    """Labels that mean that the task has nothing to say. An empty list of labels always does."""
    missing: Literal["unknown", "absent"] = "unknown"
    """What a missing label means: `unknown`; or `absent`, where annotators looked for every task and left out what
    they did not find. An example without any label is unknown either way."""
    head: HeadField = default_type("linear")
    """Learns a yes or no for each of the main tasks."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """List, for each example, the tasks that it has a label for.

        Raises:
            MtlError: If a task is unknown, or there is nothing to tell apart.
        """
        columns = main_labels(data, self.over)
        labels = [self._mentioned(columns, row) for row in range(len(data.corpus))]
        train = data.train.tolist()
        known = [set(label) for row in train if (label := labels[row]) is not None]
        if not known:
            raise MtlError(
                f"every training example lacks a label of one of the tasks ({listed(columns)}), so it is not known "
                "what it does not mention; ask about fewer by `over: [TASK, …]`, or say `missing: absent` if a "
                "missing label means that"
            )
        if all(label == set(columns) for label in known):
            found = names_in(columns, train)
            near = next((hint for name in self.absent if (hint := did_you_mean(name, found))), "")
            raise MtlError(
                f"absent: no training example has one of the labels {listed(self.absent)}{near}, so every task "
                f"always has something to say (labels: {listed(found)})"
            )
        return [AuxiliaryTask(self.task_name, MultiLabel(classes=list(columns)), self.head, labels)]

    def _mentioned(self, columns: Columns, row: int) -> list[str] | None:
        """The tasks that have something to say about an example; None if that is not known."""
        found = {name: column[row] for name, column in columns.items()}
        there = [label for label in found.values() if label is not None]
        if not there or (self.missing == "unknown" and len(there) < len(found)):
            return None
        absent = set(self.absent)
        return [name for name, label in found.items() if label_names(label) - absent]
