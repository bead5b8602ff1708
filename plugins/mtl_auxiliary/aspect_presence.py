"""The spec of the auxiliary task that predicts which aspects an input mentions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from mtl_auxiliary.main_labels import collect_label_names, get_label_names, get_main_labels
from mtl_core import (
    AuxiliaryData,
    AuxiliarySpec,
    AuxiliaryTask,
    HeadField,
    Label,
    MtlError,
    MultiLabel,
    default_type,
    did_you_mean,
    join_names,
)

LabelColumns = Mapping[str, Sequence[Label | None]]


class AspectPresence(AuxiliarySpec):
    """Supervised: which of the main tasks have a label other than `absent_labels` for the input.

    If each main task is an aspect of a review, this is aspect category detection (subtask 3 of SemEval-2014 task 4;
    Pontiki et al., 2014). By default, an example is used only if every task has a label: a missing label excludes
    the whole example.
    """

    type: Literal["aspect-presence"] = "aspect-presence"
    main_tasks: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the main tasks that are the classes; all main tasks by default."""
    absent_labels: Annotated[list[str], Field(min_length=1)] = ["absent"]
    """Labels that mean that the aspect is absent, as an empty list of labels always does."""
    missing: Literal["unknown", "absent"] = "unknown"
    """Meaning of a missing label: `unknown`, or `absent` if the annotators looked for every aspect and labelled
    only those present. An example without any label is always unknown."""
    head: HeadField = default_type("linear")
    """The head, which predicts one binary output per main task."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Collect the main tasks that are present in each example and build the task.

        Raises:
            MtlError: If a main task is unknown, no training example can be used, or no task is ever absent.
        """
        columns = get_main_labels(data, self.main_tasks)
        labels = [self._find_present_tasks(columns, row) for row in range(len(data.corpus))]
        train = data.train_rows.tolist()
        present_tasks = [set(label) for row in train if (label := labels[row]) is not None]
        if not present_tasks:
            raise MtlError(
                f"every training example lacks a label of one of the tasks ({join_names(columns)}), so absence is "
                "unknown; name fewer tasks with `main_tasks: [TASK, …]`, or set `missing: absent` if a missing "
                "label means that the aspect is absent"
            )
        if all(label == set(columns) for label in present_tasks):
            known_labels = collect_label_names(columns, train)
            suggestion = next((hint for name in self.absent_labels if (hint := did_you_mean(name, known_labels))), "")
            raise MtlError(
                "absent_labels: no training example has one of the labels "
                f"{join_names(self.absent_labels)}{suggestion}, so every task is always present "
                f"(labels: {join_names(known_labels)})"
            )
        return [AuxiliaryTask(self.task_name, MultiLabel(classes=list(columns)), self.head, labels)]

    def _find_present_tasks(self, columns: LabelColumns, row: int) -> list[str] | None:
        """Return the tasks that are present in an example, or None if that is unknown."""
        labels = {name: column[row] for name, column in columns.items()}
        known_labels = [label for label in labels.values() if label is not None]
        if not known_labels or (self.missing == "unknown" and len(known_labels) < len(labels)):
            return None
        absent_labels = set(self.absent_labels)
        return [name for name, label in labels.items() if get_label_names(label) - absent_labels]
