"""Load the data sets of an experiment into one corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.columns import CodedColumn
from mtl_core.data.corpus import Corpus, Label, Span
from mtl_core.data.stored import StoredInputs
from mtl_core.errors import MtlError
from mtl_core.specs import LoaderSpec


def load_sources(sources: Mapping[str, LoaderSpec]) -> Corpus:
    """Load every data set and concatenate them.

    Identical inputs are never divided between training and validation, neither within nor across data sets.

    Args:
        sources: Mapping of data set name to loader.

    Raises:
        MtlError: If a loader loads no example, or if a file is missing or malformed.
    """
    several = len(sources) > 1
    corpora = {}
    for name, loader in sources.items():
        try:
            corpus = loader.load()
        except MtlError as error:
            if not several:
                raise
            raise MtlError(f"data set '{name}': {error}") from error
        if not isinstance(corpus, Corpus):
            raise MtlError(f"the loader '{loader.type}' returned a {type(corpus).__name__}, expected a Corpus")
        if not len(corpus):
            where = f"data set '{name}': " if several else ""
            raise MtlError(f"{where}the loader '{loader.type}' found no example")
        corpora[name] = corpus
    return _merged(corpora) if several else next(iter(corpora.values()))


def _merged(corpora: Mapping[str, Corpus]) -> Corpus:
    parts = list(corpora.values())
    sizes = [len(corpus) for corpus in parts]
    columns = list(dict.fromkeys(name for corpus in parts for name in corpus.labels))
    weighed = list(dict.fromkeys(name for corpus in parts for name in corpus.weights))
    marked = list(dict.fromkeys(name for corpus in parts for name in corpus.spans))
    stored = any(isinstance(corpus.inputs, StoredInputs) for corpus in parts)
    codes = np.repeat(np.arange(len(parts), dtype=np.int16), sizes)
    return Corpus(
        ids=[f"{name}/{one}" for name, corpus in corpora.items() for one in corpus.ids],
        inputs=ChainedInputs([c.inputs for c in parts]) if stored else list(chain(*(c.inputs for c in parts))),
        labels={name: list(chain(*(_column(corpus, name) for corpus in parts))) for name in columns},
        parts=list(chain(*(corpus.parts for corpus in parts))),
        origins=list(chain(*(corpus.origins for corpus in parts))),
        groups=list(chain(*(corpus.groups for corpus in parts))),
        weights={name: list(chain(*(_weights(corpus, name) for corpus in parts))) for name in weighed},
        spans={name: list(chain(*(_spans(corpus, name) for corpus in parts))) for name in marked},
        sources=CodedColumn(list(corpora), codes),
        notice=" ".join(dict.fromkeys(corpus.notice for corpus in parts if corpus.notice)),
        findings=[f"data set '{name}': {line}" for name, corpus in corpora.items() for line in corpus.findings],
    )


def _column(corpus: Corpus, name: str) -> Sequence[Label | None]:
    missing: list[Label | None] = [None] * len(corpus)
    return corpus.labels.get(name, missing)


def _spans(corpus: Corpus, name: str) -> Sequence[Sequence[Span] | None]:
    missing: list[Sequence[Span] | None] = [None] * len(corpus)
    return corpus.spans.get(name, missing)


def _weights(corpus: Corpus, name: str) -> Sequence[float]:
    return corpus.weights.get(name, [1.0] * len(corpus))


class ChainedInputs(StoredInputs):
    """The concatenated inputs of several data sets, at least one of which stays on disk.

    Args:
        members: The inputs of each data set.
    """

    def __init__(self, members: Sequence[Sequence[object]]) -> None:
        self._members = members
        self._ends = np.cumsum([len(member) for member in members])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def at(self, row: int) -> object:
        """Return the input of a row."""
        member = int(np.searchsorted(self._ends, row, side="right"))
        return self._members[member][row - (int(self._ends[member - 1]) if member else 0)]

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Approximate length of each input, `(rows,)`, int32."""
        return np.concatenate(
            [
                member.sizes if isinstance(member, StoredInputs) else np.array([_size(v) for v in member], np.int32)
                for member in self._members
            ]
        )


def _size(value: object) -> int:
    return len(value) if isinstance(value, Sequence) else 1
