"""Tables read by column equal tables read cell by cell, messages included, in every format and chunk size."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import row_chunk
from mtl_core.builtins.loaders.tables.arrow_values import read_missing, read_values
from mtl_core.builtins.loaders.tables.label_parsing import LabelParser
from mtl_core.builtins.loaders.tables.parquet_chunk import ParquetChunk
from mtl_core.data.array_rows import ArrayRows
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.corpus import Corpus
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError

Records = Sequence[Mapping[str, Any]]
TEXT_NUMBERS = ["1", " 2.5 ", "-3e4", "0", "1_0", "nan", "inf", "1e39", "", "x", "٣", "1.0"]
TEXT_LABELS = ["", "yes", " yes ", "no", "?", "1", "1.0", "true", "-0.0"]
NUMBERS = [0, 1, -2, 2.5, -0.0, 1e30, 1e39, 2**60, None, True, "3", "x"]
LABELS: list[Any] = [None, 0, 1, 1.0, 0.0, -0.0, 2.5, True, False, "yes", " yes", "", "?", 2**60, ["a", "b"], [1, None]]
VECTORS: list[Any] = [[1.0, 2.0], [3, 4], [0.5, -1], [1.0], [], [None, 1.0], ["1", 2], None, 7.0]


def read_cell_by_cell(chunk: Any, name: str) -> None:
    return None


def describe(corpus: Corpus) -> Any:
    return {
        "inputs": [np.asarray(value).tobytes() for value in corpus.inputs],
        "labels": {name: [repr(label) for label in column] for name, column in corpus.labels.items()},
        "weights": {name: list(column) for name, column in corpus.weights.items()},
        "metadata": {name: [repr(cell) for cell in column] for name, column in corpus.metadata.items()},
        "ids": list(corpus.ids),
        "splits": list(corpus.splits),
        "locations": list(corpus.locations),
    }


def load_or_message(table: Table) -> Any:
    try:
        return describe(table.load())
    except MtlError as error:
        return str(error)


def check_equal(table: Table, chunk_cells: int) -> None:
    """Load a table with chunks of a size, in memory and on demand, and cell by cell with one chunk."""
    with pytest.MonkeyPatch.context() as patch:
        for chunk in (row_chunk.RowChunk, ParquetChunk):
            patch.setattr(chunk, "get_numbers", read_cell_by_cell)
            patch.setattr(chunk, "get_distinct", read_cell_by_cell)
        expected = load_or_message(table)
    assert load_or_message(table) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_chunk, "MAX_CELLS", chunk_cells)
        patch.setattr(row_chunk, "MAX_NUMBER_CODES", 1)
        patch.setattr("mtl_core.builtins.loaders.tables.parquet_chunk.MAX_NUMBER_CODES", 1)
        patch.setattr("mtl_core.builtins.loaders.tables.parquet_file.BATCH_SIZE", 3)
        assert load_or_message(table) == expected
        patch.setattr("mtl_core.builtins.loaders.tables.corpus_builder.MAX_BYTES_IN_MEMORY", -1)
        assert load_or_message(table) == expected


def build_table(path: Path, **fields: Any) -> Table:
    keys = {"numbers": ["x", "y"], "labels": ["a", "b"], "weights": {"a": "w"}, "metadata": ["m"], "missing": ["", "?"]}
    return Table(train=path, **{**keys, **fields})


@settings(max_examples=80, deadline=None)
@given(data=st.data(), chunk_cells=st.integers(1, 60), has_id=st.booleans())
def test_csv(data: st.DataObject, chunk_cells: int, has_id: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    usual = st.sampled_from(TEXT_NUMBERS[:4])
    number = usual | usual | usual | st.sampled_from(TEXT_NUMBERS)
    label = st.sampled_from(TEXT_LABELS)
    row = st.tuples(number, usual, label, label, st.sampled_from(["", "1", "0.5", "0"]), label, st.just("train"))
    rows = data.draw(st.lists(row, max_size=12))
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "y", "a", "b", "w", "m", "s", "i"])
        writer.writerows([[*cells, index // 2 if index > 8 else index] for index, cells in enumerate(rows)])
    check_equal(build_table(path, split="s", id="i" if has_id else None), chunk_cells)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), chunk_cells=st.integers(1, 60))
def test_json_lines(data: st.DataObject, chunk_cells: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    usual = st.sampled_from(NUMBERS[:6])
    y = data.draw(st.sampled_from([usual, st.sampled_from(VECTORS[:3]), st.sampled_from(VECTORS)]))
    row = st.fixed_dictionaries(
        {"x": usual | usual | st.sampled_from(NUMBERS), "y": y, "m": st.sampled_from([None, "ann", 3, 2.5, True])},
        optional={"a": st.sampled_from(LABELS), "b": st.sampled_from([0.25, 1.0, -0.0, None]), "w": st.floats(-0.1, 2)},
    )
    first = {"x": 1, "y": 2, "a": 0, "b": 1.5, "w": 1, "m": "ann"}
    records = [first, *data.draw(st.lists(row, max_size=12))]
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    check_equal(build_table(path), chunk_cells)


def draw_arrow_column(values: Sequence[Any], *types: pa.DataType) -> st.SearchStrategy[tuple[list[Any], pa.DataType]]:
    return st.tuples(st.lists(st.sampled_from(values), min_size=12, max_size=12), st.sampled_from(types))


INTEGERS = draw_arrow_column([0, 1, 5, None], pa.int8(), pa.int64(), pa.uint16(), pa.dictionary(pa.int8(), pa.int32()))
LARGE_INTEGERS = draw_arrow_column([2**60, 2**53, 1, None, -(2**53), -9, 7], pa.int64())
FLOATS = draw_arrow_column([0.0, -0.0, 1.5, float("nan"), None, float("inf"), 1e30], pa.float32(), pa.float64())
FINITE = draw_arrow_column([0.0, -0.0, 1.5, 2.25], pa.float32(), pa.float64())
TEXTS = draw_arrow_column([*TEXT_LABELS, None], pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
TRUTH = draw_arrow_column([True, False, None], pa.bool_())
DATES = draw_arrow_column([date(2024, 5, 1), None], pa.date32()) | draw_arrow_column(
    [datetime(2024, 5, 1, 12), None], pa.timestamp("ns"), pa.timestamp("ms")
)
MISSING = draw_arrow_column([None], pa.null())
LISTS = draw_arrow_column(
    [[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.float64())
) | draw_arrow_column(
    [[1.0, 2.0], [3.0, 4.0], [1.0, 5.0], [None, 1.0], [float("nan"), 2.0], None], pa.list_(pa.float64(), 2)
)
UNEVEN_LISTS = draw_arrow_column([[1, 2], [3], [4, 5]], pa.list_(pa.int64()))


@settings(max_examples=100, deadline=None)
@given(
    x=FINITE | FINITE | INTEGERS | FLOATS | LISTS | UNEVEN_LISTS | TRUTH,
    y=FINITE | LISTS | draw_arrow_column(["1", "2.5"], pa.string()),
    a=INTEGERS | LARGE_INTEGERS | FLOATS | TEXTS | TRUTH | MISSING | DATES,
    b=FLOATS | TEXTS | LISTS,
    w=FINITE | FLOATS,
    m=TEXTS | DATES | FINITE,
    rows=st.tuples(st.integers(0, 5), st.integers(0, 12)),
    group_size=st.integers(1, 12),
)
def test_parquet(
    x: Any,
    y: Any,
    a: Any,
    b: Any,
    w: Any,
    m: Any,
    rows: tuple[int, int],
    group_size: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    start, stop = rows[0], max(rows)
    columns = {
        name: pa.array(values[start:stop], kind)
        for name, (values, kind) in zip("xyabwm", (x, y, a, b, w, m), strict=True)
    }
    path = tmp_path_factory.getbasetemp() / "rows.parquet"
    parquet.write_table(pa.table(columns), path, row_group_size=group_size)
    check_equal(build_table(path), 1)


def write_table(path: Path, columns: Mapping[str, Any]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
        return path
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(columns), *rows])
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_cell_is_parsed_alone(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 400
    columns: dict[str, list[float | None]] = {f"x{j}": [(i * j) % 7 / 4 for i in range(n)] for j in range(5)}
    columns |= {f"y{k}": [float(i % 2) if i % (k + 2) else None for i in range(n)] for k in range(4)}
    columns["z"] = [i + 0.5 for i in range(n)]
    parsed_labels: list[Any] = []
    parse = LabelParser.parse

    def count(parser: LabelParser, cell: object) -> Any:
        parsed_labels.append(cell)
        return parse(parser, cell)

    monkeypatch.setattr(LabelParser, "parse", count)
    for name in ("column_types.convert_to_number", "files.cells.convert_to_number"):
        monkeypatch.setattr(f"mtl_core.data.{name}", lambda cell: pytest.fail("a number was parsed alone"))
    path = write_table(tmp_path / f"t{suffix}", columns)
    corpus = Table(train=path, numbers=[f"x{j}" for j in range(5)]).load()
    assert isinstance(corpus.inputs, ArrayRows)
    assert corpus.inputs.table.shape == (n, 5)
    assert corpus.inputs.table.dtype == np.float32
    assert all(isinstance(corpus.labels[f"y{k}"], CategoricalColumn) for k in range(4))
    n_distinct = sum(len(set(columns[f"y{k}"])) for k in range(4))
    if suffix == ".csv":
        assert len(parsed_labels) == n_distinct + n  # each distinct text once
    else:
        assert len(parsed_labels) == n_distinct
        assert isinstance(corpus.labels["z"], NumericColumn)


def test_vectors_of_a_parquet_column(tmp_path: Path) -> None:
    vectors = np.arange(24, dtype=np.float32).reshape(6, 4)
    columns = {
        "list": pa.array(vectors.tolist(), pa.list_(pa.float32())),
        "fixed": pa.array(vectors.tolist(), pa.list_(pa.float32(), 4)),
        "size": pa.array(range(6)),
        "label": pa.array([0, 1] * 3),
    }
    path = write_table(tmp_path / "t.parquet", columns)
    corpus = Table(train=path, numbers=["list", "size", "fixed"], labels=["label"]).load()
    assert isinstance(corpus.inputs, ArrayRows)
    expected = np.concatenate([vectors, np.arange(6)[:, None], vectors], axis=1)
    np.testing.assert_array_equal(corpus.inputs.table, expected)


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 20])
def test_values_of_a_slice(start: int) -> None:
    values = [None if n % 3 == 0 else n for n in range(30)]
    column = pa.array(values, pa.int16())[start : start + 10]
    missing = read_missing(column)
    numbers = np.where(missing, 0, read_values(column))
    assert [None if is_null else n for is_null, n in zip(missing, numbers, strict=True)] == values[start : start + 10]


def test_rows_before_a_malformed_line_are_reported_first(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,a\n2\n", encoding="utf-8")
    with pytest.raises(MtlError, match=r"t.csv:3: 1 cell, expected 2"):
        Table(train=path, numbers=["x"]).load()
    path.write_text("x,y\none,a\n2\n", encoding="utf-8")
    with pytest.raises(MtlError, match=r"t.csv:2: column 'x': expected a number, found 'one'"):
        Table(train=path, numbers=["x"]).load()


def test_equal_arrays_are_one_group(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": [1, 2, 1.0, 3], "y": ["a", "b", "a", "b"]})
    groups = Table(train=path, numbers=["x"]).load().groups
    assert [list(groups).index(group) for group in groups] == [0, 1, 0, 3]


def test_numbers_of_a_large_table_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path / "t.csv", {"x": range(100), "y": ["a", "b"] * 50})
    assert isinstance(Table(train=path, numbers=["x"]).load().inputs, ArrayRows)
    monkeypatch.setattr("mtl_core.builtins.loaders.tables.corpus_builder.MAX_BYTES_IN_MEMORY", 10)
    stored = Table(train=path, numbers=["x"]).load().inputs
    assert isinstance(stored, StoredInputs)
    assert np.asarray(list(stored)).tolist() == [[float(n)] for n in range(100)]
