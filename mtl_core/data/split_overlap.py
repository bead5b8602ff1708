"""Identical inputs in two splits, which make the scores of one of them optimistic.

Splitters keep identical inputs together; the splits that the data itself defines may divide them.
"""

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.columns import RowNumbers
from mtl_core.data.corpus import Corpus
from mtl_core.data.splitting import Split
from mtl_core.errors import MtlError

Rows = NDArray[np.int64]


def describe_overlap(corpus: Corpus, split: Split) -> list[str]:
    """Return warnings about validation inputs that training visits, and test inputs that occur in either.

    Args:
        corpus: The examples.
        split: The final split, including the splits that the data defines.

    Returns:
        Sentences with the number of examples, and the ids of one pair.

    Raises:
        MtlError: If an example, with the same id and the same input, is in two splits. (Ids are unique within a split
            only: files that number their rows separately may share ids.)
    """
    train, validation, test = (
        _NamedRows("training", split.train),
        _NamedRows("validation", split.validation),
        _NamedRows("test", split.test),
    )
    return [*_compare(corpus, validation, [train]), *_compare(corpus, test, [train, validation])]


@dataclass(frozen=True)
class _NamedRows:
    """The row indices of a split, `(n,)`, int64."""

    name: str
    rows: Rows


def _compare(corpus: Corpus, evaluated: _NamedRows, others: Sequence[_NamedRows]) -> list[str]:
    """Return a warning if inputs of a split occur in other splits."""
    is_shared = np.zeros(len(evaluated.rows), dtype=bool)
    example = ""
    for other in others:
        is_in_other = has_shared_input(corpus.groups, evaluated.rows, other.rows)
        if not is_in_other.any():
            continue
        shared_rows = evaluated.rows[is_in_other]
        matches = other.rows[has_shared_input(corpus.groups, other.rows, shared_rows)]
        _check_different_ids(corpus, _NamedRows(evaluated.name, shared_rows), _NamedRows(other.name, matches))
        first = int(shared_rows[0])
        match = next(row for row in matches.tolist() if corpus.groups[row] == corpus.groups[first])
        example = example or f"'{corpus.ids[first]}' in {evaluated.name} and '{corpus.ids[match]}' in {other.name}"
        is_shared |= is_in_other
    n_shared = int(is_shared.sum())
    if not n_shared:
        return []
    subject = "1 example has" if n_shared == 1 else f"{n_shared} examples have"
    names = " or ".join(other.name for other in others)
    return [
        f"{evaluated.name}: {subject} the same input as {names} examples, so scores are optimistic (such as {example})"
    ]


def has_shared_input(groups: Sequence[Hashable], rows: Rows, other_rows: Rows) -> NDArray[np.bool_]:
    """Return which rows have an input that also occurs in other rows, `(rows,)`, bool.

    Args:
        groups: One hashable per example, equal for identical inputs.
        rows: `(rows,)`, int64: indices of examples.
        other_rows: `(n,)`, int64: indices of the examples to compare with.
    """
    if not len(rows) or not len(other_rows):
        return np.zeros(len(rows), dtype=bool)
    if isinstance(groups, array):  # hashes of many inputs; numpy.isin takes several times as long
        hashes = np.asarray(groups)
        known_hashes = np.sort(hashes[other_rows])
        indices = np.searchsorted(known_hashes, hashes[rows]).clip(max=len(known_hashes) - 1)
        is_known: NDArray[np.bool_] = known_hashes[indices] == hashes[rows]
        return is_known
    known = {groups[row] for row in other_rows.tolist()}
    return np.fromiter((groups[row] in known for row in rows.tolist()), dtype=bool, count=len(rows))


def _check_different_ids(corpus: Corpus, evaluated: _NamedRows, other: _NamedRows) -> None:
    """Check that no example is in both splits; the rows have inputs that occur in both."""
    if isinstance(corpus.ids, RowNumbers):  # the data has no ids
        return
    other_rows = {(corpus.groups[row], corpus.ids[row]): row for row in other.rows.tolist()}
    for row in evaluated.rows.tolist():
        other_row = other_rows.get((corpus.groups[row], corpus.ids[row]))
        if other_row is not None:
            raise MtlError(
                f"{corpus.locations[row]}: the example '{corpus.ids[row]}' is in two splits, {other.name} "
                f"({corpus.locations[other_row]}) and {evaluated.name}; remove it from one of them"
            )
