"""Tables with several input columns: every file format, missing cells, messages, and large tables."""

import csv
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import corpus_builder
from mtl_core.data.corpus import Corpus
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError

INPUTS = {"review": "text", "price": "number", "cuisine": "category", "tags": "multi-category", "day": "date"}
RECORDS: list[dict[str, Any]] = [
    {"review": "Good soup", "price": 3.5, "cuisine": "thai", "tags": ["a", "b"], "day": "2024-05-31", "topic": "food"},
    {"review": None, "price": None, "cuisine": None, "tags": None, "day": None, "topic": "service"},
    {"review": "Slow", "price": 4.0, "cuisine": "7", "tags": ["c"], "day": "2024-06-01", "topic": "service"},
]
EXPECTED = [
    {"review": "Good soup", "price": 3.5, "cuisine": "thai", "tags": ("a", "b"), "day": "2024-05-31"},
    dict.fromkeys(INPUTS),
    {"review": "Slow", "price": 4.0, "cuisine": "7", "tags": ("c",), "day": "2024-06-01"},
]


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def write_records(path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    elif path.suffix == ".parquet":
        days = [None if record["day"] is None else date.fromisoformat(record["day"]) for record in RECORDS]
        columns = {name: [record[name] for record in RECORDS] for name in RECORDS[0]} | {"day": days}
        parquet.write_table(pa.table(columns), path)
    else:
        rows = [[";".join(cell) if isinstance(cell, list) else cell for cell in record.values()] for record in RECORDS]
        write_rows(path, list(RECORDS[0]), rows, "\t" if path.suffix == ".tsv" else ",")
    return path


def load(path: Path, **keys: Any) -> Corpus:
    return Table(train=path, **{"inputs": INPUTS, "lists": {"tags": ";"}, **keys}).load()


@pytest.mark.parametrize("large", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_rows_are_equal_in_every_format(
    suffix: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    corpus = load(write_records(tmp_path / f"rows{suffix}"))
    assert isinstance(corpus.inputs, StoredInputs) == large
    assert list(corpus.inputs) == EXPECTED
    assert list(corpus.inputs) == EXPECTED, "rows can be read again"
    assert {name: list(column) for name, column in corpus.labels.items()} == {"topic": ["food", "service", "service"]}
    assert len(set(corpus.groups)) == 3


def test_sizes_of_rows_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    inputs = load(write_records(tmp_path / "rows.jsonl")).inputs
    assert isinstance(inputs, StoredInputs)
    assert inputs.sizes.tolist() == [len("Good soup"), 1, len("Slow")]


def test_arrays_and_images(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ["scan", "photo", "label"], [["1 2.5", "a.png", "x"], ["3 4", "", "y"]])
    corpus = Table(train=path, inputs={"scan": "array", "photo": "image"}).load()
    first, second = corpus.inputs
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert np.array_equal(first["scan"], np.array([1, 2.5], dtype=np.float32))
    assert first["photo"] == str(tmp_path / "a.png")
    assert second["photo"] is None


def test_values_that_mark_missing_cells(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ["price", "label"], [["?", "x"], ["3", "?"]])
    corpus = Table(train=path, inputs={"price": "number"}, missing=["?"]).load()
    assert list(corpus.inputs) == [{"price": None}, {"price": 3.0}]
    assert list(corpus.labels["label"]) == ["x", None]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (("price", "cuisine"), ("3,5", "thai"), "rows.csv:2: column 'price': expected a number, found '3,5'"),
        (("price", "cuisine"), ("nan", "thai"), "rows.csv:2: column 'price': expected a number, found 'nan'"),
        (("price", "cuisine"), ("inf", "thai"), "rows.csv:2: column 'price': expected a number, found 'inf'"),
        (("prices", "cuisine"), ("3", "thai"), "rows.csv:1: no column 'price'; did you mean 'prices'? (columns: pr"),
        (("price", "price"), ("3", "thai"), "rows.csv:1: two columns are called 'price'"),
    ],
)
def test_messages_name_file_line_and_column(
    header: Sequence[str], row: Sequence[str], message: str, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "rows.csv", [*header, "label"], [[*row, "x"]])
    with pytest.raises(MtlError) as error:
        Table(train=path, inputs={"price": "number", "cuisine": "category"}).load()
    assert str(error.value).startswith(f"{tmp_path}/{message}")


@pytest.mark.parametrize(
    ("column_type", "cell", "message"),
    [
        ("date", "31.5.2024", "expected a date in ISO 8601 format, such as 2024-05-31 or 2024-05-31T18:30, found"),
        ("date", 3, "expected a date, found 3"),
        ("text", 3, "expected a text, found 3"),
        ("category", {"a": 1}, "expected a category (a text or a number), found an object"),
        ("multi-category", "a;b", "expected a list of categories, found 'a;b'; `lists: {COLUMN: SEPARATOR}` splits"),
        ("array", [1, None], "found a number that is not finite"),
        ("array", ["x"], "expected numbers, found ['x']"),
        ("number", True, "expected a number, found True"),
    ],
)
def test_cells_of_a_wrong_type(column_type: str, cell: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"cell": cell, "label": "x"}) + "\n", encoding="utf-8")
    with pytest.raises(MtlError) as error:
        Table(train=path, inputs={"cell": column_type}).load()
    assert str(error.value).startswith(f"{path}:1: column 'cell': {message}")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"inputs": {"price": "numbr"}}, "has the unknown type 'numbr'; did you mean 'number'? (column types: text,"),
        ({"inputs": {"price": "number"}, "labels": ["price"]}, "the column 'price' cannot be both an input and a"),
        ({"inputs": {"price": "number"}, "text": "review"}, "which define the inputs; found text and inputs"),
        ({"inputs": {}}, "at least 1 item"),
        (
            {"inputs": {"tags": "multi-category", "price": "number"}, "labels": ["topic"], "lists": {"price": ";"}},
            "`lists` names 'price', which is not a column; did you mean 'topic'? (columns: topic, tags)",
        ),
    ],
)
def test_contradictory_settings(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Table(train=Path("nowhere.csv"), **keys)
    assert message in str(error.value)


def test_inputs_from_rows_and_texts(tmp_path: Path) -> None:
    table = Table(train=tmp_path / "rows.csv", inputs=INPUTS, lists={"tags": ";"})
    assert table.from_row({**RECORDS[0], "tags": "a;b", "price": "3.5", "other": 1}) == EXPECTED[0]
    assert table.from_row({**dict.fromkeys(INPUTS), "price": float("nan")}) == EXPECTED[1]
    with pytest.raises(MtlError, match=r"^no column 'price'; did you mean 'pric'\? \(columns: review, pric\)$"):
        table.from_row({"review": "x", "pric": 1})
    with pytest.raises(MtlError, match="the inputs of this run are rows with the columns review, price"):
        table.from_text("Good soup")
    single = Table(train=tmp_path / "rows.csv", inputs={"review": "text"})
    assert single.from_text(" Good soup ") == {"review": "Good soup"}
    text_table = Table(train=tmp_path / "rows.csv", text="review")
    assert text_table.from_row({"review": "Good soup", "price": 3}) == "Good soup"
    with pytest.raises(MtlError, match="no column 'review'"):
        text_table.from_row({"price": 3})
