"""Removal of classes that do not occur in the training data."""

from collections.abc import Sequence

from mtl_core import Label, MtlError, TaskKindSpec
from mtl_core.data.auxiliary import AuxiliaryData
from mtl_core.data.label_space import FoundLabels


def only_seen(
    kind: TaskKindSpec, labels: Sequence[Label | None], where: str, data: AuxiliaryData
) -> Sequence[Label | None]:
    """Replace labels of validation and test data by missing ones where no training example has their class.

    For main tasks such a class is an error. A column of an auxiliary task may contain other classes there, for
    example of another domain, and its predictions are not used.

    Args:
        kind: The task kind.
        labels: One label (or None) per example.
        where: Description of the labels, for messages.
        data: The data, with the indices of the training examples.

    Raises:
        MtlError: If no training example has a label, or the training labels do not fit the kind.
    """
    if kind.reads_inputs:
        raise MtlError(f"kind: '{kind.type}' predicts the inputs, so it needs no column; use a kind with labels")
    train = data.train.tolist()
    training = [label for row in train if (label := labels[row]) is not None]
    if not training:
        raise MtlError(f"no training example has a label in {where}")
    classes = set(kind.space(FoundLabels(training, training, vocabulary=data.encoder.vocabulary)).classes)
    if not classes:
        return labels
    trained = set(train)
    return [
        label if label is None or row in trained else _seen(label, classes, kind.level == "token")
        for row, label in enumerate(labels)
    ]


def _seen(label: Label, classes: set[str], one_a_word: bool) -> Label | None:
    if not isinstance(label, list | tuple):
        return label if str(label) in classes else None
    if one_a_word:
        return [member if str(member) in classes else None for member in label]
    return label if all(str(member) in classes for member in label) else None
