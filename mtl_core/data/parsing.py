"""Parse and encode inputs: all at once, or lazily if they do not fit into memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.array_rows import ArrayRows
from mtl_core.data.corpus import Corpus
from mtl_core.data.encoder import Encoder
from mtl_core.data.lazy_sequences import LazySequence, RowSubset
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError


def parse_inputs(encoder: Encoder[Any, Any], corpus: Corpus) -> Sequence[Any]:
    """Parse every distinct input once; equal inputs share the result. Stored inputs are parsed lazily.

    Raises:
        MtlError: If an input cannot be parsed. The message contains its location.
    """
    if isinstance(corpus.inputs, StoredInputs):
        return LocatedSequence(corpus.inputs, encoder.parse, corpus.locations)
    if isinstance(corpus.inputs, ArrayRows):  # a table, in which to find equal rows would take longer
        return transform_located(encoder.parse, corpus.inputs, corpus.locations)
    distinct_index: dict[Any, int] = {}
    distinct: list[object] = []
    distinct_indices = []
    locations: list[str] = []
    for row, value in enumerate(corpus.inputs):
        key = value if isinstance(value, str) else id(value)
        if key not in distinct_index:
            distinct_index[key] = len(distinct)
            distinct.append(value)
            locations.append(corpus.locations[row])
        distinct_indices.append(distinct_index[key])
    parsed = transform_located(encoder.parse, distinct, locations)
    return [parsed[index] for index in distinct_indices]


def encode_inputs(encoder: Encoder[Any, Any], parsed: Sequence[Any], locations: Sequence[str]) -> Sequence[Any]:
    """Encode parsed inputs as items: at once, or lazily.

    Raises:
        MtlError: If an input cannot be encoded. The message contains its location.
    """
    if isinstance(parsed, LazySequence):
        return LocatedSequence(parsed, encoder.encode, locations)
    return transform_located(encoder.encode, parsed, locations)


class LocatedSequence(LazySequence):
    """A lazy sequence whose errors contain the location of the element that causes them.

    Args:
        source: The inputs, or another lazy sequence.
        transform: Function from a sequence of source elements to an equally long sequence of results.
        locations: The location of each element.
    """

    def __init__(
        self,
        source: Sequence[Any],
        transform: Callable[[Sequence[Any]], Sequence[Any]],
        locations: Sequence[str],
    ) -> None:
        super().__init__(source, transform)
        self._locations = locations

    def _transform_rows(self, values: Sequence[Any], rows: range) -> Sequence[Any]:
        """Transform the source elements of some rows; see `transform_located`."""
        return transform_located(self._transform, values, RowSubset(self._locations, np.array(rows, dtype=np.int64)))


def transform_located(
    transform: Callable[[Sequence[Any]], Sequence[Any]], values: Sequence[Any], locations: Sequence[str]
) -> Sequence[Any]:
    """Transform all values at once; if this fails, find the first value for which it fails, to report its location."""
    try:
        return transform(values)
    except MtlError:
        for value, location in zip(values, locations, strict=True):
            try:
                transform([value])
            except MtlError as error:
                raise MtlError(f"{location}: {error}") from error
        raise


def compute_item_lengths(encoder: Encoder[Any, Any], corpus: Corpus, items: Sequence[Any]) -> NDArray[np.int64]:
    """Return the approximate length of each example, `(examples,)`, int64: tokens, or `sizes` of stored inputs."""
    if isinstance(corpus.inputs, StoredInputs):
        return corpus.inputs.sizes.astype(np.int64)
    return np.array([encoder.length(item) for item in items], dtype=np.int64)
