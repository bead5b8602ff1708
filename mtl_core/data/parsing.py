"""Parse and encode inputs: all at once, or lazily if they do not fit into memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus
from mtl_core.data.encoder import Encoder
from mtl_core.data.stored import StoredInputs

CHUNK = 1024
"""Number of inputs that are parsed together during a pass over all inputs."""


def parse_inputs(encoder: Encoder[Any, Any], corpus: Corpus) -> Sequence[Any]:
    """Parse every distinct input once; equal inputs share the result. Stored inputs are parsed lazily."""
    if isinstance(corpus.inputs, StoredInputs):
        return OnDemand(corpus.inputs, encoder.parse)
    first: dict[Any, int] = {}
    distinct: list[object] = []
    where = []
    for value in corpus.inputs:
        key = value if isinstance(value, str) else id(value)
        if key not in first:
            first[key] = len(distinct)
            distinct.append(value)
        where.append(first[key])
    parsed = encoder.parse(distinct)
    return [parsed[index] for index in where]


def encode_inputs(encoder: Encoder[Any, Any], parsed: Sequence[Any]) -> Sequence[Any]:
    """Encode parsed inputs as items: at once, or lazily."""
    if isinstance(parsed, OnDemand):
        return OnDemand(parsed, encoder.encode)
    return encoder.encode(parsed)


def item_lengths(encoder: Encoder[Any, Any], corpus: Corpus, items: Sequence[Any]) -> NDArray[np.int64]:
    """Return the approximate length of each example, `(examples,)`, int64: tokens, or `sizes` of stored inputs."""
    if isinstance(corpus.inputs, StoredInputs):
        return corpus.inputs.sizes.astype(np.int64)
    return np.array([encoder.length(item) for item in items], dtype=np.int64)


class OnDemand(Sequence[Any]):
    """A sequence that computes its elements from stored inputs on every access.

    Args:
        source: The inputs, or another lazy sequence.
        make: Function from a sequence of source elements to an equally long sequence of results.
    """

    def __init__(self, source: Sequence[Any], make: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self._source = source
        self._make = make

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Compute one element, or the elements of a slice."""
        if isinstance(index, slice):
            return self._make(list(self._source[index]))
        return self._make([self._source[index]])[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), CHUNK):
            yield from self[start : start + CHUNK]
