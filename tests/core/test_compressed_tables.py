"""Tables in files that gzip has compressed."""

import gzip
import json
from pathlib import Path

import pytest

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import corpus_builder
from mtl_core.data.corpus import Corpus
from mtl_core.data.files.compression import estimate_content_size
from mtl_core.errors import MtlError

ROWS = [("soup", "good"), ("stew", ""), ("bread", "bad")]
CONTENT = {
    ".csv": "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS),
    ".tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS),
    ".jsonl": "".join(json.dumps({"text": text, "label": label or None}) + "\n" for text, label in ROWS),
}


def _write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def _load(path: Path) -> Corpus:
    return Table(train=path, text="text", labels=["label"]).load()


@pytest.mark.parametrize("max_bytes", [2**20, 0])
@pytest.mark.parametrize("extension", list(CONTENT))
def test_rows_are_those_of_the_content(
    extension: str, max_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if inputs are read again from the file, in any order."""
    monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", max_bytes)
    path = _write(tmp_path / f"t{extension}.gz", CONTENT[extension])
    corpus = _load(path)
    assert [corpus.inputs[row] for row in (2, 0, 1)] == ["bread", "soup", "stew"]
    assert list(corpus.labels["label"]) == ["good", None, "bad"]
    assert corpus.locations[2].startswith(str(path))


def test_size_is_that_of_the_content(tmp_path: Path) -> None:
    assert estimate_content_size(_write(tmp_path / "t.csv.gz", "text,label\n" + "soup,good\n" * 1000)) == 10_011


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_text(CONTENT[".csv"])
    with pytest.raises(MtlError, match=r"t\.csv\.gz: is not a valid gzip file, or is cut off"):
        _load(tmp_path / "t.csv.gz")
    rows = "".join(f"soup {row * 7919 % 9973},good\n" for row in range(20_000))
    data = gzip.compress(f"text,label\n{rows}".encode())
    (tmp_path / "t.csv.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(MtlError, match=r"t\.csv\.gz: is not a valid gzip file, or is cut off"):
        _load(tmp_path / "t.csv.gz")


def test_malformed_row_is_reported_with_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.csv.gz", CONTENT[".csv"] + "a,b,c\n")
    with pytest.raises(MtlError, match=r"t\.csv\.gz:5: 3 cells, expected 2"):
        _load(path)


@pytest.mark.parametrize("name", ["t.gz", "t.parquet.gz", "t.csv.bz2"])
def test_other_compressed_files_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not supported for tables.*\.csv\.gz"):
        Table(train=tmp_path / name, text="text")
