"""Parse and encode inputs: all at once, or lazily if they do not fit into memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus
from mtl_core.data.encoder import Encoder
from mtl_core.data.lazy_sequences import LazySequence
from mtl_core.data.stored_inputs import StoredInputs


def parse_inputs(encoder: Encoder[Any, Any], corpus: Corpus) -> Sequence[Any]:
    """Parse every distinct input once; equal inputs share the result. Stored inputs are parsed lazily."""
    if isinstance(corpus.inputs, StoredInputs):
        return LazySequence(corpus.inputs, encoder.parse)
    distinct_index: dict[Any, int] = {}
    distinct: list[object] = []
    distinct_indices = []
    for value in corpus.inputs:
        key = value if isinstance(value, str) else id(value)
        if key not in distinct_index:
            distinct_index[key] = len(distinct)
            distinct.append(value)
        distinct_indices.append(distinct_index[key])
    parsed = encoder.parse(distinct)
    return [parsed[index] for index in distinct_indices]


def encode_inputs(encoder: Encoder[Any, Any], parsed: Sequence[Any]) -> Sequence[Any]:
    """Encode parsed inputs as items: at once, or lazily."""
    if isinstance(parsed, LazySequence):
        return LazySequence(parsed, encoder.encode)
    return encoder.encode(parsed)


def compute_item_lengths(encoder: Encoder[Any, Any], corpus: Corpus, items: Sequence[Any]) -> NDArray[np.int64]:
    """Return the approximate length of each example, `(examples,)`, int64: tokens, or `sizes` of stored inputs."""
    if isinstance(corpus.inputs, StoredInputs):
        return corpus.inputs.sizes.astype(np.int64)
    return np.array([encoder.length(item) for item in items], dtype=np.int64)
