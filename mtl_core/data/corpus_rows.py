"""Some examples of a corpus, as a corpus."""

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.column_operations import select_rows
from mtl_core.data.corpus import Corpus
from mtl_core.data.lazy_sequences import RowSubset


def select_corpus_rows(corpus: Corpus, rows: NDArray[np.int64]) -> Corpus:
    """Return some examples of a corpus, in the given order; their inputs are not copied.

    Args:
        corpus: The corpus.
        rows: `(n,)`, int64: the indices of the examples.
    """
    row_indices = rows.tolist()
    return Corpus(
        ids=[corpus.ids[row] for row in row_indices],
        inputs=RowSubset(corpus.inputs, rows),
        labels={name: select_rows(column, rows) for name, column in corpus.labels.items()},
        splits=select_rows(corpus.splits, rows),
        locations=RowSubset(corpus.locations, rows),
        groups=[corpus.groups[row] for row in row_indices],
        weights={name: [column[row] for row in row_indices] for name, column in corpus.weights.items()},
        sources=select_rows(corpus.sources, rows) if len(corpus.sources) else (),
        spans={name: [column[row] for row in row_indices] for name, column in corpus.spans.items()},
        metadata={name: RowSubset(column, rows) for name, column in corpus.metadata.items()},
        disclaimer=corpus.disclaimer,
        warnings=corpus.warnings,
        omissions=corpus.omissions,
    )
