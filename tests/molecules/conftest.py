"""Fixtures of the tests of molecules."""

from pathlib import Path

import pytest
from sample_molecules import write_molecules

pytest.importorskip("rdkit", reason="RDKit, of the extra `molecules`, is not installed")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cache of every test in its own folder."""
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The file of the sample."""
    return write_molecules(tmp_path / "molecules.csv")
