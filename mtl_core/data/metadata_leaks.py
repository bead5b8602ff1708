"""Examples that the data itself puts on the wrong side of a split by metadata: a user in two splits, a later time."""

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.splitting import Split
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec


def find_metadata_leaks(
    corpus: Corpus, splitter: SplitterSpec, rows: NDArray[np.int64], held_out: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rows the splitter would not put on the other side of held-out rows, `(rows,)`, bool.

    Raises:
        MtlError: If the splitter does not return one value per row.
    """
    if not len(rows) or not len(held_out):
        return np.zeros(len(rows), dtype=np.bool_)
    metadata = ExampleMetadata(corpus.metadata, corpus.locations)
    leaks = splitter.find_leaks(metadata.select(rows), metadata.select(held_out))
    if leaks.shape != (len(rows),) or leaks.dtype != np.bool_:
        raise MtlError(f"`find_leaks` of the splitter '{splitter.type}' must return {len(rows)} boolean values")
    return leaks


def describe_metadata_leaks(corpus: Corpus, split: Split, splitter: SplitterSpec) -> list[str]:
    """Return a warning per split that contradicts the splitter, which the data itself defines.

    Args:
        corpus: The examples.
        split: The final split.
        splitter: The splitter, which states what contradicts it.
    """
    warnings = []
    for name, rows, held_out_name, held_out in (
        ("training", split.train, "validation", split.validation),
        ("training", split.train, "test", split.test),
        ("validation", split.validation, "test", split.test),
    ):
        leaks = rows[find_metadata_leaks(corpus, splitter, rows, held_out)]
        if len(leaks):
            verb = "example is" if len(leaks) == 1 else "examples are"
            warnings.append(
                f"{held_out_name}: {len(leaks)} {name} {verb} {splitter.describe_leak(held_out_name)}, so scores are "
                f"optimistic (such as '{corpus.ids[leaks[0]]}')"
            )
    return warnings
