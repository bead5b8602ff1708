"""The examples of a table whose SMILES are valid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtl_core import Corpus, MtlError
from mtl_core.data import select_corpus_rows
from mtl_molecules.featurizer import CHUNK_SIZE, compute_features
from mtl_molecules.standard_smiles import Standardizer, StandardSmiles


def read_molecules(corpus: Corpus, column: str, skip: bool, cache_dir: Path | None, config_key: str | None) -> Corpus:
    """Return the examples whose SMILES is valid, grouped by molecule.

    Args:
        corpus: Examples whose inputs are SMILES.
        column: The column of SMILES, which becomes one of the metadata.
        skip: Whether invalid SMILES are left out, with a warning, instead of refused.
        cache_dir: The folder of the cache; None disables it.
        config_key: The key that set the folder; None if it is the default.

    Raises:
        MtlError: If a SMILES is invalid and `skip` is not set, or if no SMILES is valid.
    """
    smiles = [str(value) for value in corpus.inputs]
    canonical: list[str] = []
    rows: list[int] = []
    invalid: list[str] = []
    for row, result in enumerate(_standardize(smiles, cache_dir, config_key)):
        if result.canonical is not None:
            rows.append(row)
            canonical.append(result.canonical)
            continue
        message = f"{corpus.locations[row]}: column '{column}': {result.error}"
        if not skip:
            raise MtlError(f"{message}; `data.invalid: skip` leaves out such rows")
        invalid.append(message)
    if not rows:
        raise MtlError(f"no molecule has a valid SMILES; the first: {invalid[0]}" if invalid else "no molecule")
    omissions: list[str] = []
    if invalid:
        corpus = select_corpus_rows(corpus, np.array(rows, dtype=np.int64))
        n_invalid = len(invalid)
        phrase = (
            "1 molecule has an invalid SMILES and is"
            if n_invalid == 1
            else (f"{n_invalid:,} molecules have an invalid SMILES and are")
        )
        omissions.append(f"{phrase} left out; the first: {invalid[0]}")
    valid_smiles = [smiles[row] for row in rows]
    return replace(
        corpus,
        inputs=valid_smiles,
        groups=canonical,
        metadata={**corpus.metadata, column: valid_smiles},
        warnings=[*corpus.warnings, *omissions],
        omissions=[*corpus.omissions, *omissions],
    )


def _standardize(smiles: Sequence[str], cache_dir: Path | None, config_key: str | None) -> Iterator[StandardSmiles]:
    """Yield results in chunks, so that the first error does not wait for the last molecule."""
    standardizer = Standardizer()
    for start in range(0, len(smiles), CHUNK_SIZE):
        yield from compute_features(standardizer, smiles[start : start + CHUNK_SIZE], cache_dir, config_key)
