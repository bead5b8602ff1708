"""Which examples can be trained on, and what the user should know about the others."""

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
    """What training examples are good for.

    Attributes:
        labelled: `(examples,)`, bool: has something to read, and a label for a main task.
        bare: Training examples that have something to read but no such label.
        hollow: Training examples of which nothing is left to read.
    """

    labelled: NDArray[np.bool_]
    bare: Rows
    hollow: Rows

    def findings(self, corpus: Corpus, split: Split) -> list[str]:
        """Tell about training examples that main tasks do not learn from."""
        told = []
        if len(self.hollow):
            told.append(
                f"{len(self.hollow)} training examples have nothing left to encode and are set aside "
                f"({_some(corpus, self.hollow)})"
            )
        helping = split.helping
        if len(helping):
            told.append(
                f"{len(helping)} training examples have no label for any main task; "
                f"auxiliary tasks learn from them ({_some(corpus, helping)})"
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
    """Sort training examples by what they are good for.

    Args:
        corpus: All examples.
        declared: The main tasks.
        labels: Name of each to its label for every example; nothing for tasks that need none.
        encoder: Says which inputs are empty.
        parsed: The inputs, analysed.
    """
    rows = corpus.rows("train")
    labelled = labelled_for(declared, labels, len(corpus))
    empty = np.fromiter((encoder.is_empty(value) for value in parsed), dtype=bool, count=len(corpus))
    return Usable(labelled & ~empty, rows[~labelled[rows] & ~empty[rows]], rows[empty[rows]])


def unseen_elsewhere(corpus: Corpus, split: Split, rows: Rows) -> Rows:
    """Keep those rows whose input stands in no validation or test example."""
    return rows[~_shared(corpus, rows, np.concatenate([split.validation, split.test]))]


def overlap(corpus: Corpus, split: Split) -> list[str]:
    """Tell about inputs that stand in training data and, by the data's own division, elsewhere too."""
    trained = np.concatenate([split.train, split.validation])
    rows = split.test[_shared(corpus, split.test, trained)]
    if not len(rows):
        return []
    return [
        f"{len(rows)} test examples have an input that also stands in the training data ({_some(corpus, rows)})"
    ]


def set_aside(corpus: Corpus, splitter: SplitterSpec) -> list[str]:
    """Tell that the data has a test part that is not used."""
    rows = corpus.rows("test")
    if not len(rows) or not splitter.replaces_test:
        return []
    return [f"the data's own test part ({len(rows)} examples) is set aside: the held-out fold is test data"]


def unlearned(learn: Sequence[str], split: Split) -> list[str]:
    """Tell about training examples that no task of `learn` has a label for."""
    left = len(split.train) - len(split.speaking(split.train))
    if not left:
        return []
    return [
        f"{left} training examples have no label for a task that is learned ({listed(learn)}) and are not visited"
    ]


def undrawn(sources: Iterable[str], corpus: Corpus, split: Split) -> list[str]:
    """Tell about data sets that no batch will come from."""
    names = list(sources)
    if len(names) < 2:
        return []
    drawn = {corpus.sources[row] for row in split.learned_from.tolist()}
    return [
        f"data set '{name}': no training example, so no batch is drawn from it"
        for name in names
        if name not in drawn
    ]


def _shared(corpus: Corpus, rows: Rows, others: Rows) -> NDArray[np.bool_]:
    """Say which rows have an input that stands among others, `(rows,)`."""
    if isinstance(corpus.groups, array):  # hashes of many inputs
        groups = np.asarray(corpus.groups)
        return np.isin(groups[rows], groups[others])
    known = {corpus.groups[row] for row in others.tolist()} if len(rows) else set()
    return np.array([corpus.groups[row] in known for row in rows.tolist()], dtype=bool)


def _some(corpus: Corpus, rows: Rows) -> str:
    return listed([corpus.ids[row] for row in rows.tolist()], 5)
