"""The metadata of examples: read by the table loader, concatenated over data sets, handed to splitters."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from pydantic import ValidationError

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import corpus_builder
from mtl_core.data.corpus import Corpus
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.sources import load_sources
from mtl_core.data.splitting import SplitUnits, split_corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec

ROWS: list[dict[str, Any]] = [
    {"text": "a", "topic": "x", "user": "ann", "year": 2020},
    {"text": "b", "topic": "y", "user": None, "year": 2021},
    {"text": "c", "topic": "x", "user": " bob ", "year": 2022},
]


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("is_large", [False, True])
def test_table_reads_metadata_which_is_no_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    train = write_json_lines(tmp_path / "a.jsonl", ROWS)
    test = write_json_lines(tmp_path / "t.jsonl", [{"text": "d", "topic": "x", "year": 2023}])
    corpus = Table(train=train, test=test, text="text", metadata=["user", "year"]).load()
    assert {name: list(cells) for name, cells in corpus.metadata.items()} == {
        "user": ["ann", None, "bob", None],
        "year": [2020, 2021, 2022, 2023],
    }
    assert list(corpus.labels) == ["topic"]


def test_csv_cells_are_stripped_and_missing_where_labels_are(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,topic,user\na,x, ann \nb,y,\nc,x,n/a\n")
    corpus = Table(train=path, text="text", metadata=["user"], missing=["n/a"]).load()
    assert list(corpus.metadata["user"]) == ["ann", None, None]


@pytest.mark.parametrize("is_large", [False, True])
def test_dates_in_parquet_are_iso_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool) -> None:
    if is_large:
        monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    path = tmp_path / "a.parquet"
    nanoseconds = pa.array([1_600_000_000_123_456_789, None], type=pa.timestamp("ns", tz="UTC"))
    table = {"text": ["a", "b"], "topic": ["x", "y"], "day": [date(2020, 1, 31), None], "time": nanoseconds}
    parquet.write_table(pa.table(table), path)
    corpus = Table(train=path, text="text", labels=["topic"], metadata=["day", "time"]).load()
    time = datetime(2020, 9, 13, 12, 26, 40, 123456, tzinfo=UTC)
    assert list(corpus.metadata["day"]) == ["2020-01-31", None]
    assert list(corpus.metadata["time"]) == [time.isoformat(), None]
    with pytest.raises(MtlError, match=r"a\.parquet: row 1: column 'day': expected a text, a number or a list of them"):
        Table(train=path, text="text").load()


def test_a_column_can_be_an_id_and_metadata(tmp_path: Path) -> None:
    path = write_json_lines(tmp_path / "a.jsonl", ROWS)
    corpus = Table(train=path, text="text", id="year", labels=["topic"], metadata=["year", "topic"]).load()
    assert list(corpus.metadata["year"]) == [2020, 2021, 2022]
    assert list(corpus.metadata["topic"]) == list(corpus.labels["topic"])


@pytest.mark.parametrize(("cell", "found"), [([1, 2], r"\[1, 2\]"), ({"a": 1}, "an object")], ids=str)
def test_cells_that_are_no_scalars_are_refused(tmp_path: Path, cell: object, found: str) -> None:
    row: dict[str, Any] = {"text": "a", "topic": "x", "user": cell}
    path = write_json_lines(tmp_path / "a.jsonl", [row])
    with pytest.raises(
        MtlError, match=rf"a\.jsonl:1: column 'user': expected a text, a number or a date, found {found}"
    ):
        Table(train=path, text="text", metadata=["user"]).load()


def test_missing_and_duplicate_columns_are_refused(tmp_path: Path) -> None:
    path = write_json_lines(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(MtlError, match=r"no column 'users'; did you mean 'user'\?"):
        Table(train=path, text="text", metadata=["users"]).load()
    with pytest.raises(ValidationError, match="`metadata` names 'user' twice"):
        Table(train=path, text="text", metadata=["user", "user"])


def test_a_table_that_a_run_reads_later_needs_no_metadata(tmp_path: Path) -> None:
    train = write_json_lines(tmp_path / "a.jsonl", ROWS)
    other = write_json_lines(tmp_path / "b.jsonl", [{"text": "d", "topic": "x"}])
    assert not Table(train=train, text="text", metadata=["user"]).load_file(other, ["topic"]).metadata


def test_metadata_of_several_data_sets_is_concatenated(tmp_path: Path) -> None:
    first = Table(train=write_json_lines(tmp_path / "a.jsonl", ROWS), text="text", metadata=["user"])
    second = Table(train=write_json_lines(tmp_path / "b.jsonl", ROWS[:1]), text="text", metadata=["year", "user"])
    corpus = load_sources({"a": first, "b": second.model_copy(update={"metadata": ["user"]})})
    assert list(corpus.metadata["user"]) == ["ann", None, "bob", "ann"]
    with pytest.raises(MtlError) as excinfo:
        load_sources({"a": first, "b": second})
    assert str(excinfo.value) == (
        "data set 'a': no column 'year' in `metadata`, which data set 'b' has (columns: user)"
    )


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(MtlError, match="a loader returned 2 ids but 1 metadata of 'user'"):
        Corpus(ids=["1", "2"], inputs=["a", "b"], labels={}, splits=["train", "train"], metadata={"user": ["ann"]})


def test_splitters_receive_the_metadata_of_the_examples_that_they_split() -> None:
    received: list[SplitUnits] = []

    class Recording(SplitterSpec):
        type: str = "recording"

        def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
            received.append(units)
            return np.zeros(len(units), dtype=np.int8)

    corpus = Corpus(
        ids=list("abcdef"),
        inputs=["one", "two", "ONE", "three", "four", "two"],
        labels={"t": ["x"] * 6},
        splits=["train", "train", "train", "test", "train", "train"],
        metadata={"user": [1, 2, 3, 4, 5, 6]},
    )
    usable = np.array([True, True, True, True, False, True])
    split_corpus(corpus, usable, corpus.labels, Recording(), 0)
    (units,) = received
    assert list(units.metadata.get_column("user")) == [1, 2, 3, 6]
    assert list(units.metadata.locations) == ["example a", "example b", "example c", "example f"]
    assert units.unit_of_example.tolist() == [0, 1, 0, 1]


def test_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(MtlError) as excinfo:
        ExampleMetadata({"user": [], "date": []}).get_column("users")
    assert str(excinfo.value) == (
        "split.column: no column 'users' in the metadata; did you mean 'user'? (columns: user, date); "
        "`data.metadata` lists the columns that splitters read"
    )
