"""The memory of large tables: a few bytes per row, however long the inputs are; exact, from tracemalloc."""

import csv
import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import corpus_builder
from mtl_core.data.corpus import Corpus
from mtl_core.data.lazy_sequences import LazySequence
from mtl_core.data.stored_inputs import ConcatenatedInputs

FEW, MANY = 2000, 10_000
"""Numbers of rows."""
CHARACTERS = 1000
"""Length of an input, so that one stored input per row exceeds every bound below many times."""

Columns = dict[str, list[str]]


def build_columns(rows: int) -> Columns:
    """Build the columns of a table like the one in the documentation: texts, and three columns of labels."""
    columns = {"text": [f"{row} {'x' * CHARACTERS}" for row in range(rows)]}
    return columns | {f"label{k}": ["yes" if row % (k + 2) else "no" for row in range(rows)] for k in range(3)}


def write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])


def write_json_lines(path: Path, columns: Columns) -> None:
    records = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_parquet(path: Path, columns: Columns) -> None:
    parquet.write_table(pa.table(columns), path)


WRITERS: dict[str, Callable[[Path, Columns], None]] = {
    ".csv": write_csv,
    ".jsonl": write_json_lines,
    ".parquet": write_parquet,
}


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold fewer rows at a time than the smaller table has."""
    monkeypatch.setattr("mtl_core.builtins.loaders.tables.parquet_file.BATCH_SIZE", 100)
    monkeypatch.setattr("mtl_core.builtins.loaders.tables.row_chunk.MAX_BYTES", 100 * CHARACTERS)
    monkeypatch.setattr("mtl_core.data.lazy_sequences.CHUNK_SIZE", 100)


def load_and_measure(path: Path) -> tuple[Corpus, int, int]:
    """Return the corpus, the bytes that it holds, and the peak in bytes while it is loaded."""
    gc.collect()
    tracemalloc.start()
    try:
        corpus = Table(train=path, text="text").load()
        gc.collect()
        stored_bytes, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return corpus, stored_bytes, peak


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("suffix", list(WRITERS))
def test_row_of_a_large_table_takes_few_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    measured = []
    for rows in (FEW, FEW, MANY):  # the first imports modules
        WRITERS[suffix](tmp_path / f"{rows}{suffix}", build_columns(rows))
        corpus, *bytes_per_table = load_and_measure(tmp_path / f"{rows}{suffix}")
        assert len(corpus) == rows
        measured.append(bytes_per_table)
    row_bytes, peak = ((many - few) / (MANY - FEW) for few, many in zip(*measured[1:], strict=True))
    # The start of the row and a hash of the input (8 bytes each), the length of the input and the number of the row
    # (4 each), the split and three labels (1 each). Arrays that grow are copied, which counts twice for a moment.
    assert row_bytes == pytest.approx(28, abs=1)
    assert peak < 60


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("suffix", list(WRITERS))
def test_pass_over_a_large_table_holds_one_chunk(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    WRITERS[suffix](tmp_path / f"t{suffix}", build_columns(FEW))
    corpus = Table(train=tmp_path / f"t{suffix}", text="text").load()
    concatenated = ConcatenatedInputs([corpus.inputs, corpus.inputs])
    parsed = LazySequence(concatenated, lambda texts: [str(text).upper() for text in texts])
    encoded = LazySequence(parsed, list)
    tracemalloc.start()
    try:
        for inputs in (corpus.inputs, concatenated, parsed, encoded):
            n_characters = sum(len(str(value)) for value in inputs)
            assert n_characters > FEW * CHARACTERS
        [_, peak] = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500 * CHARACTERS  # a chunk has 100 rows, whose inputs are stored as read, as parsed and as encoded
