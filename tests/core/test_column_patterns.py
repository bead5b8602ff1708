"""Patterns, ranges and `ignore` in the columns of tables, and tasks of hundreds of label columns."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtl_core import Data
from mtl_core.builtins.loaders.table import Table
from mtl_core.config.load import load_experiment
from mtl_core.config.name_patterns import compress_names, expand_names, expand_range
from mtl_core.data.sources import load_sources
from mtl_core.errors import MtlError

N_ROWS = 40
HEADER = ["id", "ACEA_a", "fp1", "smiles", "fp0", "ACEA_b", "fp2", "APR_c", "site"]


def write_rows(path: Path, header: Sequence[str], cells: Mapping[str, Any] | None = None) -> Path:
    """Write a table: the numbers of a column, or labels that depend on the first ones."""
    random = np.random.default_rng(0)
    x = random.normal(size=(N_ROWS, 3)).round(3)
    columns: dict[str, list[Any]] = {f"fp{j}": x[:, j].tolist() for j in range(3)}
    for index, name in enumerate(["ACEA_a", "ACEA_b", "APR_c"]):
        columns[name] = [int(value > 0) for value in x[:, index]]
    columns |= {"id": list(range(N_ROWS)), "smiles": ["C"] * N_ROWS, "site": [row % 3 for row in range(N_ROWS)]}
    columns |= {name: [values] * N_ROWS for name, values in (cells or {}).items()}
    rows = [{name: columns[name][row] for name in header} for row in range(N_ROWS)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, header).writerows([dict(zip(header, header, strict=True)), *rows])
    return path


@pytest.fixture(params=[".csv", ".jsonl"])
def table_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_rows(tmp_path / f"t{request.param}", HEADER)


# Names


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("fp{8..11}", ["fp8", "fp9", "fp10", "fp11"]),
        ("x{08..10}y", ["x08y", "x09y", "x10y"]),
        ("fp{3..3}", ["fp3"]),
        ("fp{a..b}", ["fp{a..b}"]),
        ("fp", ["fp"]),
    ],
)
def test_ranges(entry: str, names: list[str]) -> None:
    assert expand_range(entry) == names


@given(st.lists(st.from_regex(r"[ab.]{0,2}[0-9]{0,2}[c]?", fullmatch=True), max_size=30))
def test_compressed_names_are_the_same_names(names: list[str]) -> None:
    assert [name for entry in compress_names(names) for name in expand_range(entry)] == names


def test_numbered_names_are_compressed() -> None:
    assert compress_names(["size", *(f"fp{n}" for n in range(1024)), "a1"]) == ["size", "fp{0..1023}", "a1"]


def test_names_patterns_and_ranges_select_each_name_once() -> None:
    names = ["b1", "a1", "b[1]", "a2", "B3"]
    assert expand_names(["a{1..2}", "b*", "a1"], names, "task") == ["a1", "a2", "b1", "b[1]"]
    assert expand_names(["b[1]"], names, "task") == ["b[1]"]
    assert expand_names(["b[12]"], names, "task") == ["b1"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("AECA_*", r"^no task matches 'AECA_\*'; nearest: ACEA_a, ACEA_b \(tasks: ACEA_a, ACEA_b, size\)$"),
        ("acea_?", r"^no task matches 'acea_\?'; nearest: ACEA_a, ACEA_b "),
        ("zzz*", r"^no task matches 'zzz\*' \(tasks: "),
        ("sizes", r"^no task 'sizes'; did you mean 'size'\? \(tasks: "),
        ("ACEA_{1..2}", r"^no task 'ACEA_1'; did you mean 'ACEA_b'\?"),
        ("x{5..2}", r"^the range 'x\{5\.\.2\}' has 0 names, expected 1 to 1,000,000$"),
    ],
)
def test_entries_that_select_nothing(entry: str, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        expand_names([entry], ["ACEA_a", "ACEA_b", "size"], "task")


# Columns of tables


@pytest.mark.parametrize(
    ("fields", "inputs", "labels"),
    [
        ({"numbers": ["fp*"], "labels": ["ACEA_*"]}, ["fp1", "fp0", "fp2"], ["ACEA_a", "ACEA_b"]),
        ({"numbers": ["fp{0..2}"], "labels": ["APR_c", "A*"]}, ["fp0", "fp1", "fp2"], ["APR_c", "ACEA_a", "ACEA_b"]),
        ({"numbers": ["fp2", "fp?"], "labels": ["A*"]}, ["fp2", "fp1", "fp0"], ["ACEA_a", "ACEA_b", "APR_c"]),
        ({"numbers": ["fp0"], "ignore": ["fp*", "s*", "id"]}, ["fp0"], ["ACEA_a", "ACEA_b", "APR_c"]),
        ({"numbers": ["*"], "labels": ["A*_[ac]"], "ignore": ["s*", "ACEA_b"], "id": "id"}, None, ["ACEA_a", "APR_c"]),
        ({"text": "smiles", "labels": ["*_*"], "metadata": ["APR_c"]}, None, ["ACEA_a", "ACEA_b"]),
        ({"numbers": ["fp*", "id"], "ignore": ["fp1"], "labels": ["*_a"]}, ["fp0", "fp2", "id"], ["ACEA_a"]),
    ],
)
def test_columns_that_keys_select(
    fields: dict[str, Any], inputs: list[str] | None, labels: list[str], table_path: Path
) -> None:
    if fields.get("numbers") == ["*"]:
        fields = {**fields, "labels": ["ACEA_a", "APR_c"]}  # a pattern of inputs matches no named label
        inputs = ["fp1", "fp0", "fp2"]
    corpus = Table(train=table_path, **fields).load()
    assert list(corpus.labels) == labels
    if inputs is not None:
        expected = Table(train=table_path, numbers=inputs, labels=["ACEA_a"]).load()
        np.testing.assert_array_equal(np.asarray(corpus.inputs), np.asarray(expected.inputs))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"numbers": ["pf*"]}, "`numbers`: no column matches 'pf*'; nearest: fp1, fp0, fp2 (columns: "),
        ({"numbers": ["fp0"], "labels": ["AECA_*"]}, "`labels`: no column matches 'AECA_*'; nearest: ACEA_a, ACEA_b"),
        ({"numbers": ["fp0"], "ignore": ["zz*"]}, "`ignore`: no column matches 'zz*' (columns: "),
        (
            {"numbers": ["fp*"], "labels": ["fp0", "f*"]},
            "`labels`: 'fp0' matches the input column fp0; an input is no label, so narrow the pattern",
        ),
        (
            {"numbers": ["fp{0..1}"], "labels": ["f*"]},
            "`labels`: 'f*' matches 2 input columns: fp1, fp0; an input is no label, so narrow the pattern",
        ),
        ({"text": "smiles", "labels": ["s*"]}, "`labels`: 's*' matches the input column smiles; an input is no"),
        (
            {"numbers": ["fp0"], "labels": ["id*"], "id": "id"},
            "`labels`: no column matches 'id*'; columns with another use: id (columns: ",
        ),
        ({"numbers": ["fp{0..3}"]}, "no column 'fp3'; did you mean 'fp2'? (columns: "),
        ({"numbers": ["fp0"], "labels": ["A*"], "weights": {"b": "id"}}, "`weights` names 'b', which is not a label"),
    ],
)
def test_columns_that_cannot_be_selected(fields: dict[str, Any], message: str, table_path: Path) -> None:
    if fields.get("labels") == ["fp0", "f*"]:
        fields = {**fields, "numbers": ["fp0"]}
        with pytest.raises(ValidationError, match="cannot be both an input and a label"):
            Table(train=table_path, **fields)
        return
    with pytest.raises(MtlError) as excinfo:
        Table(train=table_path, **fields).load()
    assert message in str(excinfo.value)
    assert str(excinfo.value).startswith(str(table_path))


def test_pattern_of_inputs_and_labels(table_path: Path) -> None:
    message = r"`labels` and `numbers` contain the pattern 'f\*'; a column is an input or a label"
    with pytest.raises(ValidationError, match=message):
        Table(train=table_path, numbers=["f*"], labels=["A", "f*"])


@pytest.mark.parametrize("fields", [{"ignore": ["fp0"]}, {"labels": ["a"], "ignore": ["a"]}, {"ignore": ["b", "b"]}])
def test_contradictory_keys(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"which is also an input or a label|twice"):
        Table(train=Path("t.csv"), numbers=["fp0"], **fields)


def test_a_name_that_looks_like_a_pattern(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.csv", ["price [EUR]", "fp0", "ACEA_a"], {"price [EUR]": 3})
    table = Table(train=path, numbers=["price [EUR]"], labels=["ACEA_a"])
    assert table.load().inputs[0].tolist() == [3.0]  # type: ignore[attr-defined]
    assert table.resolve_inputs().numbers == ["price [EUR]"]
    other = write_rows(tmp_path / "other.csv", ["price [EUR]"], {"price [EUR]": 4})
    path.unlink()  # a run is used where its training data is missing
    assert table.load_file(other, []).inputs[0].tolist() == [4.0]  # type: ignore[attr-defined]


def test_label_patterns_in_python(tmp_path: Path) -> None:
    frame = {"fp0": [0.5, 1.5] * 4, "ACEA_a": [0, 1] * 4, "ACEA_b": ["x", "y"] * 4, "other": [1, 2] * 4}
    data = Data.from_frame(frame, {"fp0": "number"}, ["ACEA_*"])
    assert data.labels == ["ACEA_a", "ACEA_b"]
    data = Data.from_frame(frame, {"fp0": "number"}, ["[!f]*"], metadata=["other"], id_column="ACEA_b")
    assert data.labels == ["ACEA_a"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["AECA_*"], "labels: no column matches 'AECA_*'; nearest: ACEA_a"), (["*"], "the column 'fp0' is both an input")],
)
def test_invalid_label_patterns_in_python(labels: list[str], message: str) -> None:
    with pytest.raises(MtlError) as excinfo:
        Data.from_frame({"fp0": [0.5, 1.5], "ACEA_a": [0, 1]}, {"fp0": "number"}, labels)
    assert message in str(excinfo.value)


# Runs

EXPERIMENT = """\
data: {type: table, train: t.csv, numbers: ["fp*"], labels: ["A*"]}
split: {type: stratified, validation: 0.2, test: 0.2}
backbone: mlp
encoder: array
tasks: [{each: "*", kind: binary, head: linear}]
training: {epochs: 2}
"""


def read_predictions(mtl: Any, path: Path, out: Path) -> list[Any]:
    result = mtl("predict", "run", "--input", path, "--output", out)
    assert result.returncode == 0, result.stderr
    return [json.loads(line)["tasks"] for line in out.read_text(encoding="utf-8").splitlines()]


def test_a_run_saves_the_names_of_its_inputs(tmp_path: Path, mtl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_rows(tmp_path / "t.csv", ["fp1", "ACEA_a", "fp0", "APR_c", "fp2"])
    (tmp_path / "e.yaml").write_text(EXPERIMENT, encoding="utf-8")
    result = mtl("run", "e.yaml", "--out", "run")
    assert result.returncode == 0, result.stderr
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert config["data"]["numbers"] == ["fp1", "fp0", "fp2"]
    assert config["data"]["labels"] == ["A*"]
    assert len(config["tasks"]) == 1
    expected = read_predictions(mtl, path, tmp_path / "a.jsonl")
    # The columns in another order, one more that the pattern matches, and no training data.
    other = write_rows(tmp_path / "other.csv", ["fp0", "fp1", "fp2", "fp3"], {"fp3": 9})
    path.rename(tmp_path / "moved.csv")
    assert [{name: task["probabilities"] for name, task in row.items()} for row in expected] == [
        {name: task["probabilities"] for name, task in row.items()}
        for row in read_predictions(mtl, other, tmp_path / "b.jsonl")
    ]
    incomplete = write_rows(tmp_path / "incomplete.csv", ["fp0", "fp1"])
    result = mtl("predict", "run", "--input", incomplete)
    assert result.returncode == 2
    assert "no column 'fp2'" in result.stderr
    # The saved config reads the same data.
    (tmp_path / "moved.csv").rename(path)
    corpora = [load_sources(load_experiment(name).config.loaders) for name in ("e.yaml", "run/config.yaml")]
    first_inputs, second_inputs = (np.asarray(corpus.inputs) for corpus in corpora)
    np.testing.assert_array_equal(first_inputs, second_inputs)
    assert corpora[0].labels == corpora[1].labels
