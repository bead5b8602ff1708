"""Data from tables, arrays and data sets in memory, and the messages for data that cannot be used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from table_columns import INPUTS, LABELS

import mtl_core as mtl
from mtl_core import MtlError
from mtl_core.data import Corpus
from mtl_core.data.python_tables import read_columns

RECORDS = [
    {"text": "Good soup.", "price": 3, "topic": "food", "rating": 4.5},
    {"text": "Rude.", "price": 7, "topic": None, "rating": None},
    {"text": "So so.", "price": 5, "topic": "price", "rating": 1.0},
]


def load_corpus(data: mtl.Data) -> Corpus:
    loader = mtl.Model(tasks=data.labels).build_experiment(data).load().config.data
    assert loader is not None
    return loader.load()


TABLES: dict[str, Callable[[], Any]] = {
    "records": lambda: RECORDS,
    "columns": lambda: {name: [record[name] for record in RECORDS] for name in RECORDS[0]},
    "pandas": lambda: pd.DataFrame(RECORDS),
    "pandas, nullable": lambda: pd.DataFrame(RECORDS).convert_dtypes(),
    "pandas, another index": lambda: pd.DataFrame(RECORDS, index=[9, 9, 9]),
    "polars": lambda: pl.DataFrame(RECORDS),
    "polars, lazy": lambda: pl.DataFrame(RECORDS).lazy(),
    "arrow": lambda: pa.Table.from_pylist(RECORDS),
    "hugging face": lambda: datasets.Dataset.from_list(RECORDS),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_gives_the_same_corpus(table: Callable[[], Any]) -> None:
    corpus = load_corpus(mtl.Data.from_frame(table(), {"text": "text", "price": "number"}, ["topic", "rating"]))
    assert corpus.inputs[1] == {"text": "Rude.", "price": 7.0}
    assert list(corpus.labels["topic"]) == ["food", None, "price"]
    assert list(corpus.labels["rating"]) == [4.5, None, 1.0]


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
)
def test_missing_values_are_missing_labels(missing: Any) -> None:
    data = mtl.Data.from_frame({"x": [1, 2], "y": ["a", missing]}, {"x": "number"}, ["y"])
    assert list(load_corpus(data).labels["y"]) == ["a", None]


@pytest.mark.parametrize("scalar", [np.int64(3), np.float32(3), np.str_("3"), np.bool_(True), torch.tensor(3)])
def test_numpy_scalars_are_labels(scalar: Any) -> None:
    label = load_corpus(mtl.Data.from_frame({"x": [1.0], "y": [scalar]}, {"x": "number"}, ["y"])).labels["y"][0]
    assert type(label) in {int, float, str}
    assert label in {3, "3", "true"}


def test_whole_numbers_with_missing_ones_stay_whole() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "stars": [4, np.nan, 5]})
    assert list(load_corpus(mtl.Data.from_frame(frame, {"x": "number"}, ["stars"])).labels["stars"]) == [4, None, 5]


def test_class_names_of_hugging_face_are_labels() -> None:
    features = datasets.Features({"x": datasets.Value("float32"), "y": datasets.ClassLabel(names=["no", "yes"])})
    dataset = datasets.Dataset.from_dict({"x": [1.0, 2.0, 3.0], "y": [1, -1, 0]}, features=features)
    assert list(load_corpus(mtl.Data.from_frame(dataset, {"x": "number"}, ["y"])).labels["y"]) == ["yes", None, "no"]


class Pairs(torch.utils.data.Dataset[Any]):
    """Pairs of an array and two labels."""

    def __init__(self, as_dict: bool) -> None:
        self.as_dict = as_dict

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        values, labels = torch.full((2,), float(index)), (index % 2, float("nan") if index == 3 else index / 2)
        return {"x": values, "odd": labels[0], "half": labels[1]} if self.as_dict else (values, labels)


@pytest.mark.parametrize("as_dict", [False, True])
def test_torch_data_set_is_read(as_dict: bool) -> None:
    corpus = load_corpus(mtl.Data.from_dataset(Pairs(as_dict), {"x": "array"}, ["odd", "half"]))
    assert [value["x"].tolist() for value in corpus.inputs] == [[0, 0], [1, 1], [2, 2], [3, 3]]  # type: ignore[index]
    assert list(corpus.labels["odd"]) == [0, 1, 0, 1]
    assert list(corpus.labels["half"]) == [0.0, 0.5, 1.0, None]


def test_arrays_with_test_data() -> None:
    inputs, labels = np.zeros((6, 2)), {"y": np.array([0, 1, 0, 1, np.nan, 1])}
    data = mtl.Data.from_arrays(inputs, labels, test=(np.ones((2, 2)), {"y": [1, 0]}))
    corpus = load_corpus(data)
    assert list(corpus.splits) == ["train"] * 6 + ["test"] * 2
    assert list(corpus.labels["y"]) == [0, 1, 0, 1, None, 1, 1, 0]
    blocks = data.build_blocks()
    assert "split" not in blocks  # test data was handed in, so none is held out
    assert mtl.Data.from_arrays(inputs, labels).build_blocks()["split"]["test"] == 0.2


def test_columns_of_ids_splits_weights_and_metadata(frame: pd.DataFrame) -> None:
    table = frame.assign(key=[f"k{row}" for row in range(len(frame))], part="train", user="ann", certainty=0.5)
    table.loc[:9, "part"] = "test"
    data = mtl.Data.from_frame(
        table,
        INPUTS,
        LABELS,
        id_column="key",
        split_column="part",
        weight_columns={"topic": "certainty"},
        metadata=["user"],
        splitter={"type": "random", "validation": 0.1},
    )
    corpus = load_corpus(data)
    assert corpus.ids[3] == "k3"
    assert list(corpus.splits[:11]) == ["test"] * 10 + ["train"]
    assert corpus.weights["topic"][0] == 0.5
    assert corpus.metadata["user"][5] == "ann"


def test_file_is_read_as_by_the_table_loader(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "rows.csv", index=False)
    from_file = load_corpus(mtl.Data.from_file(tmp_path / "rows.csv", INPUTS, LABELS))
    in_memory = load_corpus(mtl.Data.from_frame(frame, INPUTS, LABELS))
    assert from_file.inputs == in_memory.inputs
    assert list(from_file.labels["topic"]) == list(in_memory.labels["topic"])
    assert list(from_file.ids) == list(in_memory.ids)


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5), st.floats(allow_infinity=False), st.text()), min_size=1))
def test_cells_survive_pandas_and_polars(cells: list[Any]) -> None:
    expected = read_columns({"x": cells})["x"]
    assert read_columns(pd.DataFrame({"x": pd.Series(cells, dtype=object)}))["x"] == expected
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) == 1:
        assert read_columns(pl.DataFrame({"x": cells}, strict=False))["x"] == expected


INVALID: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "no rows": (lambda frame: mtl.Data.from_frame(frame.head(0), INPUTS, LABELS), "train data: the table has no rows"),
    "column twice": (
        lambda frame: mtl.Data.from_frame(pd.concat([frame, frame], axis=1), INPUTS, LABELS),
        "two columns are named 'a'",
    ),
    "label and input": (
        lambda frame: mtl.Data.from_frame(frame, {"topic": "category"}, ["topic"]),
        "'topic' is both an input and a label",
    ),
    "misspelt column": (
        lambda frame: mtl.Data.from_frame(frame, INPUTS, ["topik"]),
        "labels: the table has no column 'topik'; did you mean 'topic'",
    ),
    "a path": (lambda frame: mtl.Data.from_frame("rows.csv", INPUTS, LABELS), r"mtl\.Data\.from_file\('rows\.csv'"),
    "a series": (lambda frame: mtl.Data.from_frame(frame["a"], INPUTS, LABELS), "found a pandas Series"),
    "labels as a text": (lambda frame: mtl.Data.from_frame(frame, INPUTS, "topic"), "labels: expected a list"),
    "inputs as a list": (lambda frame: mtl.Data.from_frame(frame, ["a"], LABELS), "inputs: expected a dict"),  # type: ignore[arg-type]
    "numbers as names": (
        lambda frame: mtl.Data.from_frame(pd.DataFrame(np.zeros((2, 2))), {"0": "number"}, ["1"]),
        "a column is named 0, expected a text",
    ),
    "different lengths": (
        lambda frame: mtl.Data.from_arrays(np.zeros((3, 2)), {"y": [1, 2]}),
        "different numbers of rows: 'input' has 3, 'y' has 2",
    ),
    "unknown type": (
        lambda frame: load_corpus(mtl.Data.from_frame(frame, {"a": "numbr"}, ["topic"])),
        "unknown type 'numbr'; did you mean 'number'",
    ),
    "a text as a number": (
        lambda frame: load_corpus(mtl.Data.from_frame({"a": [1, "x"], "y": [1, 2]}, {"a": "number"}, ["y"])),
        "train table, row 1: column 'a': .*'x'",
    ),
    "no data set": (lambda frame: mtl.Data.from_dataset(3, {"x": "array"}, ["y"]), "expected a torch Dataset"),
    "wrong split": (
        lambda frame: load_corpus(mtl.Data.from_frame(frame.assign(part="tset"), INPUTS, LABELS, split_column="part")),
        "column 'part': expected train, validation, test, found 'tset'; did you mean 'test'",
    ),
}


@pytest.mark.parametrize(("build", "message"), INVALID.values(), ids=INVALID)
def test_data_that_cannot_be_used_is_refused(
    build: Callable[[pd.DataFrame], Any], message: str, frame: pd.DataFrame
) -> None:
    with pytest.raises(MtlError, match=message):
        build(frame)
