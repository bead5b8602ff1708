"""Leaving out what training data has never shown."""

from collections.abc import Sequence

from mtl_core import Label, MtlError, TaskKindSpec
from mtl_core.data.auxiliary import AuxiliaryData
from mtl_core.data.label_space import FoundLabels


def only_seen(
    kind: TaskKindSpec, labels: Sequence[Label | None], where: str, data: AuxiliaryData
) -> Sequence[Label | None]:
    """Count classes that no training example has as missing in validation and test data.

    For main tasks such a class is an error. An auxiliary column may well hold another domain there, and nobody asks
    about it in the end.

    Args:
        kind: What the labels are.
        labels: One an example.
        where: What they are called in messages.
        data: Says which examples are for training.

    Raises:
        MtlError: If no training example has a label, or training labels do not fit the kind.
    """
    if kind.reads_inputs:
        raise MtlError(f"kind: '{kind.type}' learns from inputs, so it needs no column; name a kind with labels")
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
