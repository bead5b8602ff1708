"""Selection of the training examples, and warnings about excluded examples."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.declared import labelled_for
from mtl_core.data.encoder import Encoder
from mtl_core.data.splitting import Split
from mtl_core.errors import listed
from mtl_core.specs import SplitterSpec

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Usable:
    """Partition of the training examples by input and labels.

    Attributes:
        labelled: `(examples,)`, bool: whether the input is not empty and a main task has a label.
        bare: `(n,)`, int64: training examples with an input but without a main label.
        hollow: `(n,)`, int64: training examples with an empty input.
    """

    labelled: NDArray[np.bool_]
    bare: Rows
    hollow: Rows

    def findings(self, corpus: Corpus, split: Split) -> list[str]:
        """Return warnings about training examples that main tasks do not train on."""
        told = []
        if len(self.hollow):
            told.append(
                f"{len(self.hollow)} training examples have an empty input and are set aside "
                f"({_some(corpus, self.hollow)})"
            )
        helping = split.helping
        if len(helping):
            told.append(
                f"{len(helping)} training examples have no label for any main task; "
                f"auxiliary tasks train on them ({_some(corpus, helping)})"
            )
        aside = np.setdiff1d(self.bare, split.helping)
        if len(aside):
            told.append(
                f"{len(aside)} training examples have no label for any task and are set aside "
                f"({_some(corpus, aside)})"
            )
        return told


def usable_examples(
    corpus: Corpus,
    declared: Sequence[NamedTask],
    labels: Mapping[str, Sequence[Label | None]],
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> Usable:
    """Partition the training examples by input and labels.

    Args:
        corpus: All examples.
        declared: The main tasks.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        encoder: The encoder, which detects empty inputs.
        parsed: The parsed inputs.
    """
    rows = corpus.rows("train")
    labelled = labelled_for(declared, labels, len(corpus))
    empty = np.fromiter((encoder.is_empty(value) for value in parsed), dtype=bool, count=len(corpus))
    return Usable(labelled & ~empty, rows[~labelled[rows] & ~empty[rows]], rows[empty[rows]])


def unseen_elsewhere(corpus: Corpus, split: Split, rows: Rows) -> Rows:
    """Return the rows whose input occurs in no validation or test example."""
    return rows[~_shared(corpus, rows, np.concatenate([split.validation, split.test]))]


def overlap(corpus: Corpus, split: Split) -> list[str]:
    """Return a warning if inputs of test examples also occur in the training data."""
    trained = np.concatenate([split.train, split.validation])
    rows = split.test[_shared(corpus, split.test, trained)]
    if not len(rows):
        return []
    return [
        f"{len(rows)} test examples have an input that also occurs in the training data ({_some(corpus, rows)})"
    ]


def set_aside(corpus: Corpus, splitter: SplitterSpec) -> list[str]:
    """Return a note if the data has a test split that is not used."""
    rows = corpus.rows("test")
    if not len(rows) or not splitter.replaces_test:
        return []
    return [f"the test split of the data ({len(rows)} examples) is not used: the held-out fold is the test split"]


def unlearned(learn: Sequence[str], split: Split) -> list[str]:
    """Return a warning if training examples have no label for any task in `learn`."""
    left = len(split.train) - len(split.speaking(split.train))
    if not left:
        return []
    return [f"{left} training examples have no label for an active task ({listed(learn)}) and are not visited"]


def undrawn(sources: Iterable[str], corpus: Corpus, split: Split) -> list[str]:
    """Return a warning per data set from which no batch is sampled."""
    names = list(sources)
    if len(names) < 2:
        return []
    drawn = {corpus.sources[row] for row in split.learned_from.tolist()}
    return [
        f"data set '{name}': no training example, so no batch is sampled from it"
        for name in names
        if name not in drawn
    ]


def _shared(corpus: Corpus, rows: Rows, others: Rows) -> NDArray[np.bool_]:
    """Return which rows have an input that also occurs in other rows, `(rows,)`, bool."""
    if isinstance(corpus.groups, array):  # hashes of many inputs
        groups = np.asarray(corpus.groups)
        return np.isin(groups[rows], groups[others])
    known = {corpus.groups[row] for row in others.tolist()} if len(rows) else set()
    return np.array([corpus.groups[row] in known for row in rows.tolist()], dtype=bool)


def _some(corpus: Corpus, rows: Rows) -> str:
    return listed([corpus.ids[row] for row in rows.tolist()], 5)
