"""Labels of auxiliary tasks that are a column of the data."""

from collections.abc import Sequence

from mtl_core import AuxiliaryData, Label, MtlError, TaskKindSpec, did_you_mean, join_names
from mtl_core.data import LabelStatistics


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


def mask_unseen_classes(
    kind: TaskKindSpec, labels: Sequence[Label | None], description: str, data: AuxiliaryData
) -> Sequence[Label | None]:
    """Replace labels of validation and test data by missing ones where no training example has their class.

    For main tasks such a class is an error. A column of an auxiliary task may contain other classes there, for
    example of another domain, and its predictions are not used.

    Args:
        kind: The task kind.
        labels: One label (or None) per example.
        description: Description of the labels, for messages.
        data: The data, with the indices of the training examples.

    Raises:
        MtlError: If no training example has a label, or the training labels do not fit the kind.
    """
    if kind.reads_inputs:
        raise MtlError(f"kind: '{kind.type}' predicts the inputs, so it needs no column; use a kind with labels")
    train_rows = data.train_rows.tolist()
    training_labels = [label for row in train_rows if (label := labels[row]) is not None]
    if not training_labels:
        raise MtlError(f"no training example has a label in {description}")
    if kind.level == "pixel":  # masks are not searched for other classes, which are errors
        return labels
    classes = set(
        kind.build_space(LabelStatistics(training_labels, training_labels, vocabulary=data.encoder.vocabulary)).classes
    )
    if not classes:
        return labels
    train_row_set = set(train_rows)
    return [
        label if label is None or row in train_row_set else _mask_label(label, classes, kind.level == "token")
        for row, label in enumerate(labels)
    ]


def _mask_label(label: Label, classes: set[str], is_token_level: bool) -> Label | None:
    if not isinstance(label, list | tuple):
        return label if str(label) in classes else None
    if is_token_level:
        return [member if str(member) in classes else None for member in label]
    return label if all(str(member) in classes for member in label) else None
