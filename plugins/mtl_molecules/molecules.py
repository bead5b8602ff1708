"""The spec of the loader of molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import CacheDir, Table
from mtl_molecules.require_rdkit import require_rdkit

if TYPE_CHECKING:
    from mtl_core import Corpus


class Molecules(Table):
    """Tables with one molecule per row: the loader `table`, whose texts are SMILES.

    Every SMILES is read by RDKit. Two spellings of a molecule are never divided between training, validation and test.
    The splitter `scaffold` reads the column of SMILES without further keys.
    """

    type: Literal["molecules"] = "molecules"  # type: ignore[assignment]  # a loader of its own
    text: Annotated[str, Field(min_length=1)] | None = "smiles"
    """The column of SMILES."""
    invalid: Literal["error", "skip"] = "error"
    """Rows whose SMILES is invalid: `error` refuses the file, `skip` leaves them out, with one warning."""
    cache: CacheDir = True
    """Whether to cache canonical SMILES on disk (in `~/.cache/mtl`), or the folder of the cache."""

    def load(self) -> Corpus:
        """Read the training, validation and test files.

        Raises:
            MtlError: If RDKit is not installed, a file is missing or malformed, or a SMILES is invalid and `invalid` is
                `error`; the message names file and line.
        """
        return self._read_molecules(super().load())

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another table as test data.

        Raises:
            MtlError: As `load`.
        """
        return self._read_molecules(super().load_file(path, columns))

    def from_row(self, row: Mapping[str, object]) -> object:
        """Convert a row to a SMILES.

        Raises:
            MtlError: If the column is missing, or the SMILES is invalid.
        """
        return self._check(super().from_row(row))

    def from_text(self, text: str) -> object:
        """Return a SMILES without white space around it.

        Raises:
            MtlError: If the SMILES is invalid.
        """
        return self._check(super().from_text(text))

    def _read_molecules(self, corpus: Corpus) -> Corpus:
        require_rdkit("data", self.type)
        from mtl_core.data import resolve_cache_dir
        from mtl_molecules.read_molecules import read_molecules

        config_key = "data.cache" if isinstance(self.cache, Path) else None
        return read_molecules(
            corpus, self.text or "", self.invalid == "skip", resolve_cache_dir(self.cache), config_key
        )

    def _check(self, smiles: object) -> object:
        require_rdkit("data", self.type)
        from mtl_molecules.read_smiles import read_smiles

        read_smiles(smiles)
        return smiles
