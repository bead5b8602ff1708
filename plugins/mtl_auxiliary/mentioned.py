"""The spec of the auxiliary task that predicts which aspects an input mentions."""

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
    """Supervised: which of the main tasks have a label other than `absent` for the input.

    If each main task is an aspect of a review, this is aspect category detection (subtask 3 of SemEval-2014 task 4;
    Pontiki et al., 2014). By default, an example is used only if every task has a label: a missing label excludes
    the whole example.
    """

    type: Literal["mentioned"] = "mentioned"
    over: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the main tasks that are the classes; all main tasks by default."""
    absent: Annotated[list[str], Field(min_length=1)] = ["absent"]
    """Labels that mean that the aspect is absent, as an empty list of labels always does."""
    missing: Literal["unknown", "absent"] = "unknown"
    """Meaning of a missing label: `unknown`, or `absent` if the annotators looked for every aspect and labelled
    only those present. An example without any label is always unknown."""
    head: HeadField = default_type("linear")
    """The head, which predicts one binary output per main task."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Collect the main tasks that are present in each example and build the task.

        Raises:
            MtlError: If a main task is unknown, no training example can be used, or no task is ever absent.
        """
        columns = main_labels(data, self.over)
        labels = [self._mentioned(columns, row) for row in range(len(data.corpus))]
        train = data.train.tolist()
        known = [set(label) for row in train if (label := labels[row]) is not None]
        if not known:
            raise MtlError(
                f"every training example lacks a label of one of the tasks ({listed(columns)}), so absence is "
                "unknown; name fewer tasks with `over: [TASK, …]`, or set `missing: absent` if a missing label "
                "means that the aspect is absent"
            )
        if all(label == set(columns) for label in known):
            found = names_in(columns, train)
            near = next((hint for name in self.absent if (hint := did_you_mean(name, found))), "")
            raise MtlError(
                f"absent: no training example has one of the labels {listed(self.absent)}{near}, so every task "
                f"is always present (labels: {listed(found)})"
            )
        return [AuxiliaryTask(self.task_name, MultiLabel(classes=list(columns)), self.head, labels)]

    def _mentioned(self, columns: Columns, row: int) -> list[str] | None:
        """Return the tasks that are present in an example, or None if that is unknown."""
        found = {name: column[row] for name, column in columns.items()}
        there = [label for label in found.values() if label is not None]
        if not there or (self.missing == "unknown" and len(there) < len(found)):
            return None
        absent = set(self.absent)
        return [name for name, label in found.items() if label_names(label) - absent]
