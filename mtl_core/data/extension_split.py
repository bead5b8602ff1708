"""The split of the data of an extended run: known examples keep their split, new examples are split like them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.corpus_rows import select_corpus_rows
from mtl_core.data.lazy_sequences import RowSubset
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.plugins.specs import SplitterSpec

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SplitStep:
    """Examples that are split together.

    Attributes:
        rows: `(n,)`, int64: the examples. Only those that the data assigns to training are split.
        usable: `(examples,)`, bool: which examples of the corpus training can use.
        labels: Task name to one label per example of the corpus, by which the split is stratified.
        splitter: The splitter.
        seed: Its seed.
    """

    rows: Rows
    usable: NDArray[np.bool_]
    labels: Mapping[str, Sequence[Label | None]]
    splitter: SplitterSpec
    seed: int


def split_in_steps(corpus: Corpus, steps: Sequence[SplitStep]) -> Split:
    """Split the examples of an extended run: those of the first run, then those of each extension.

    The first step splits its examples exactly as a run on them alone does, so that no example on which that run was
    trained is used for validation. In the later steps, an example whose input is known belongs to the split of that
    input; all others are split by the splitter.

    Args:
        corpus: All examples.
        steps: The examples of the first run, then those with a label of the tasks of each extension.
    """
    parts = [np.zeros(0, dtype=np.int64) for _ in range(3)]
    for step in steps:
        new_parts = _split_step(corpus, step, parts)
        parts = [np.sort(np.concatenate(pair)) for pair in zip(parts, new_parts, strict=True)]
    train, validation, test = parts
    return Split(train, validation, test)


def _split_step(corpus: Corpus, step: SplitStep, known: Sequence[Rows]) -> list[Rows]:
    """Return the further training, validation and test examples of a step."""
    part_of_input: dict[Hashable, int] = {}
    for part, rows in enumerate(known):
        part_of_input.update((corpus.groups[row], part) for row in rows.tolist())
    rows = np.setdiff1d(step.rows, np.concatenate(known))
    part_of_row = np.array([part_of_input.get(corpus.groups[row], -1) for row in rows.tolist()], dtype=np.int64)
    added = [rows[(part_of_row == part) & step.usable[rows]] for part in range(3)]
    remaining = rows[part_of_row < 0]
    if not step.usable[np.intersect1d(remaining, corpus.get_row_indices("train"))].any():
        return added
    split = split_corpus(
        select_corpus_rows(corpus, remaining),
        step.usable[remaining],
        {name: RowSubset(column, remaining) for name, column in step.labels.items()},
        step.splitter,
        step.seed,
    )
    new_parts = (split.train, split.validation, split.test)
    return [np.concatenate([rows, remaining[new]]) for rows, new in zip(added, new_parts, strict=True)]
