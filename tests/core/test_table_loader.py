import csv
import json
import sys
import tempfile
from collections.abc import Hashable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError

from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loaders.tables import column_stores as table_stores
from mtl_core.builtins.loaders.tables import corpus_builder as table_corpus
from mtl_core.builtins.loaders.tables.ids import hash_text
from mtl_core.data.columns import CategoricalColumn, JsonColumn, NumericColumn, RowNumbers, UniqueIds
from mtl_core.data.corpus import Corpus
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError

REVIEWS = """\
number,review,sentiment,topic,trust
a,Good soup.,positive,food,1
b,"Slow,
but ""kind"" staff",negative,service,0.5

c,Meh,,food,
"""
Records = Sequence[dict[str, Any]]


@pytest.fixture
def on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every table as large."""
    monkeypatch.setattr(table_corpus, "MAX_BYTES_IN_MEMORY", -1)


def write(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(folder: Path, content: str | bytes, name: str = "reviews.csv", **fields: Any) -> Corpus:
    if not fields.keys() & {"text", "words", "numbers"}:
        fields["text"] = "review"
    return Table(train=write(folder, content, name), **fields).load()


def load_error(folder: Path, content: str | bytes, name: str = "reviews.csv", **fields: Any) -> str:
    with pytest.raises(MtlError) as excinfo:
        load(folder, content, name, **fields)
    message = str(excinfo.value)
    assert message.startswith(str(folder / name))
    return message.removeprefix(str(folder / name))


def format_json_lines(records: Records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def write_parquet(path: Path, records: Records, **options: Any) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(records)), path, **options)
    return path


def describe_corpus(corpus: Corpus) -> dict[str, Any]:
    """Return the content of a corpus, including types; each group is represented by its first row."""
    first_rows: dict[Hashable, int] = {}
    return {
        "ids": list(corpus.ids),
        "inputs": [value.tolist() if isinstance(value, np.ndarray) else value for value in corpus.inputs],
        "labels": {name: [repr(label) for label in column] for name, column in corpus.labels.items()},
        "parts": list(corpus.splits),
        "origins": list(corpus.locations),
        "groups": [first_rows.setdefault(group, row) for row, group in enumerate(corpus.groups)],
        "weights": {name: list(weights) for name, weights in corpus.weights.items()},
        "disclaimer": corpus.disclaimer,
        "warnings": list(corpus.warnings),
    }


def list_locations(corpus: Corpus) -> list[str]:
    return [location.rpartition("/")[2] for location in corpus.locations]


# Rows in each format


def test_a_csv_file(tmp_path: Path) -> None:
    corpus = load(tmp_path, REVIEWS, id="number", weights={"sentiment": "trust"}, disclaimer="Made up.")
    assert corpus.inputs == ["Good soup.", 'Slow,\nbut "kind" staff', "Meh"]
    assert corpus.labels == {"sentiment": ["positive", "negative", None], "topic": ["food", "service", "food"]}
    assert corpus.ids == ["a", "b", "c"]
    assert corpus.splits == ["train"] * 3
    assert list(corpus.weights["sentiment"]) == [1, 0.5, 1]
    assert corpus.disclaimer == "Made up."


def test_locations_are_lines_and_ids_are_rows(tmp_path: Path) -> None:
    corpus = load(tmp_path, REVIEWS)
    assert list_locations(corpus) == ["reviews.csv:2", "reviews.csv:3", "reviews.csv:6"]
    assert list(corpus.ids) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + REVIEWS.encode(),
        REVIEWS.replace("\n", "\r\n").encode(),
        REVIEWS.rstrip("\n").encode(),
        b"\n\n" + REVIEWS.encode(),
        REVIEWS.replace("number,review,", " number,review ,").encode(),
    ],
    ids=["byte-order mark", "CRLF", "no trailing newline", "leading empty lines", "spaces in the header"],
)
def test_csv_variants(content: bytes, tmp_path: Path) -> None:
    corpus = load(tmp_path, content)
    assert corpus.labels["topic"] == ["food", "service", "food"]
    assert [str(text).replace("\r", "") for text in corpus.inputs] == load(tmp_path, REVIEWS).inputs


def test_columns_without_a_name_are_ignored(tmp_path: Path) -> None:
    assert load(tmp_path, ",review,topic,\n0,Fine,food,\n1,Good,food,\n").labels == {"topic": ["food", "food"]}


def test_label_columns_keep_the_configured_order(tmp_path: Path) -> None:
    assert list(load(tmp_path, REVIEWS, labels=["topic", "sentiment"]).labels) == ["topic", "sentiment"]


def test_tabs_other_delimiters_and_plain_quotation_marks(tmp_path: Path) -> None:
    assert load(tmp_path, "review\ttopic\nSoup, bread\tfood\n", "a.tsv").inputs == ["Soup, bread"]
    assert load(tmp_path, "review;topic\nSoup, bread;food\n", delimiter=";").inputs == ["Soup, bread"]
    quoting = 'review\ttopic\n"No" they said\tservice\n'
    assert load(tmp_path, quoting, "a.tsv", quoted=False).inputs == ['"No" they said']
    assert "set `quoted: false`" in load_error(tmp_path, quoting, "a.tsv")


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    records: Records = [
        {"review": "One", "stars": 3, "price": 2.5, "new": True, "tags": ["a", "b"], "pos": ["X", None, 1]},
        {"review": "Two", "stars": None, "price": 3, "new": False, "tags": []},
    ]
    labels = load(tmp_path, format_json_lines(records) + "\n \n", "a.jsonl").labels
    assert {name: [repr(label) for label in column] for name, column in labels.items()} == {
        "stars": ["3", "None"],
        "price": ["2.5", "3"],
        "new": ["'true'", "'false'"],
        "tags": ["('a', 'b')", "()"],
        "pos": ["('X', None, 1)", "None"],
    }


def test_json_lines_column_missing_in_the_first_row(tmp_path: Path) -> None:
    corpus = load(tmp_path, '{"review": "One"}\n\n{"review": "Two", "topic": "food"}\n', "a.jsonl")
    assert corpus.labels == {"topic": [None, "food"]}
    assert list_locations(corpus) == ["a.jsonl:1", "a.jsonl:3"]


def test_parquet_equals_json_lines(tmp_path: Path) -> None:
    records = [
        {"review": f"Review {row}", "stars": row % 3, "price": row / 2, "new": row == 0, "tags": ["a"] * row}
        for row in range(5)
    ] + [{"review": "Last", "stars": None, "price": None, "new": None, "tags": None}]
    path = write_parquet(tmp_path / "a.parquet", records, row_group_size=2)
    from_parquet = describe_corpus(Table(train=path, text="review").load())
    from_json = describe_corpus(load(tmp_path, format_json_lines(records), "a.jsonl"))
    assert from_parquet.pop("origins")[5] == f"{path}: row 6"
    assert from_json.pop("origins")[5] == f"{tmp_path}/a.jsonl:6"
    assert from_parquet == from_json


def test_nan_in_parquet_is_a_missing_label(tmp_path: Path) -> None:
    table = pa.table(
        {"review": ["a", "b"], "price": [float("nan"), 2.0], "kind": pa.array(["x", "y"]).dictionary_encode()}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    labels = Table(train=tmp_path / "a.parquet", text="review").load().labels
    assert labels == {"price": [None, 2.0], "kind": ["x", "y"]}


# Inputs


def test_words(tmp_path: Path) -> None:
    assert load(tmp_path, "w,pos\n good  soup ,A N\n", words="w", lists={"pos": " "}).inputs == [("good", "soup")]
    corpus = load(tmp_path, "w,pos\ngood|soup,A|N\n", words="w", lists={"pos": "|", "w": "|"})
    assert corpus.inputs == [("good", "soup")]
    assert corpus.labels == {"pos": [("A", "N")]}
    assert corpus.get_text(0) == "good soup"
    assert load(tmp_path, '{"w": ["good", "soup bowl"]}', "a.jsonl", words="w").inputs == [("good", "soup bowl")]


def test_numbers(tmp_path: Path) -> None:
    (array,) = load(tmp_path, "a,b,y\n1, -2.5e1 ,x\n", numbers=["b", "a"]).inputs
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    assert array.tolist() == [-25, 1]
    (array,) = load(tmp_path, '{"v": [1, 2.5], "z": 4}', "a.jsonl", numbers=["v", "z"]).inputs
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [1, 2.5, 4]


def test_input_from_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    assert Table(train=path, text="a").from_text(" Good soup. ") == "Good soup."
    assert Table(train=path, words="a", lists={"a": "|"}).from_text("Good  soup") == ("Good", "soup")
    for column_field in ("text", "words"):
        fields: dict[str, Any] = {column_field: "a"}
        with pytest.raises(MtlError, match="the text is empty"):
            Table(train=path, **fields).from_text(" ")
    with pytest.raises(MtlError, match=r"inputs of this run are numbers \(a, b\), not texts; pass a table"):
        Table(train=path, numbers=["a", "b"]).from_text("1 2")


# Labels, splits and weights


def test_missing_values(tmp_path: Path) -> None:
    rows = "review,topic,tags\na, NA ,x;NA;y\nb,,\nc, food ,z\n"
    assert load(tmp_path, rows, missing=["", "NA"], lists={"tags": ";"}).labels == {
        "topic": [None, None, "food"],
        "tags": [("x", None, "y"), None, ("z",)],
    }
    # An empty cell that is not a missing label is an empty list.
    tags_only = load(tmp_path, rows, missing=["NA"], labels=["tags"], lists={"tags": ";"})
    assert tags_only.labels == {"tags": [("x", None, "y"), (), ("z",)]}
    message = load_error(tmp_path, rows, missing=["NA"], lists={"tags": ";"})
    assert message == ":3: column 'topic': the label is empty, which `missing` does not list"


def test_split_from_a_column(tmp_path: Path) -> None:
    corpus = load(tmp_path, "review,y,split\na,p,train\nb,n,test\nc,p, validation\n", split="split")
    assert corpus.splits == ["train", "test", "validation"]
    assert list(corpus.labels) == ["y"]


def test_three_files_of_three_formats(tmp_path: Path) -> None:
    corpus = Table(
        train=write(tmp_path, "number,review,topic,trust\nx,One,food,2\ny,Two,staff,3\n"),
        validation=write(tmp_path, '{"number": 7, "review": "Three", "topic": "food", "more": {}}', "v.jsonl"),
        test=write_parquet(tmp_path / "t.parquet", [{"review": "Four", "topik": "food"}]),
        text="review",
        id="number",
        weights={"topic": "trust"},
    ).load()
    assert corpus.labels == {"topic": ["food", "staff", "food", None]}
    assert corpus.splits == ["train", "train", "validation", "test"]
    assert corpus.ids == ["x", "y", "7", "1"]
    assert list(corpus.weights["topic"]) == [2, 3, 1, 1]
    assert list_locations(corpus) == ["reviews.csv:2", "reviews.csv:3", "v.jsonl:1", "t.parquet: row 1"]
    assert corpus.warnings == [
        "t.parquet: no column 'topic'; did you mean 'topik'? (columns: review, topik); these labels are missing",
        "t.parquet: no column 'number' (columns: review, topik); ids are row numbers",
    ]


@pytest.mark.parametrize("name", ["more.csv", "more.jsonl", "more.parquet"])
def test_loaded_file_has_the_known_labels(name: str, tmp_path: Path) -> None:
    table = Table(train=write(tmp_path, REVIEWS), text="review", weights={"topic": "trust"})
    records = [{"review": "New", "topic": "food", "colour": "red", "trust": "hardly"}]
    if name.endswith("parquet"):
        path = write_parquet(tmp_path / name, records)
    else:
        text = "review,topic,colour,trust\nNew,food,red,hardly\n"
        path = write(tmp_path, text if name.endswith("csv") else format_json_lines(records), name)
    corpus = table.load_file(path, ["sentiment", "topic"])
    assert corpus.labels == {"sentiment": [None], "topic": ["food"]}
    assert corpus.splits == ["test"]
    assert len(corpus.warnings) == 1
    assert not corpus.weights


def test_a_table_without_rows_has_no_examples(tmp_path: Path) -> None:
    assert len(load(tmp_path, "review,topic\n")) == 0


# Refused tables


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        ("", {}, ": the file is empty, expected a header"),
        ("\n\n", {}, ": the file is empty, expected a header"),
        ("revue,topic\n", {}, ":1: no column 'review'; did you mean 'revue'? (columns: revue, topic)"),
        ("\nreview,topic\na,b\n", {"labels": ["topik"]}, ":2: no column 'topik'; did you mean 'topic'? (columns:"),
        ("review,topic\n", {"id": "number"}, ":1: no column 'number' (columns: review, topic)"),
        ("review,topic\n", {"split": "split"}, ":1: no column 'split'"),
        ("review,topic\n", {"weights": {"topic": "trust"}}, ":1: no column 'trust'"),
        (
            "review,topic,trust\n",
            {"weights": {"topc": "trust"}},
            ":1: `weights` names 'topc', which is not a label column;",
        ),
        ("review,topic\n", {"lists": {"topc": ";"}}, ":1: `lists` names 'topc', which is not a label column; did"),
        ("review,a,review\n", {}, ":1: two columns are called 'review'"),
        ('review,topic\n"a\nb",c\nd\n', {}, ":4: 1 cell, expected 2 (columns: review, topic)"),
        ("review,topic\na,b,c\n", {}, ":2: 3 cells, expected 2 (columns: review, topic)"),
        (
            'review,topic\n\n"a,b\nc,d\n',
            {},
            ":3: not valid CSV: a quotation mark opens a cell that is never closed;",
        ),
        ('review,topic\n"a" b,c\n', {}, ":2: not valid CSV: a quotation mark within a quoted cell must be doubled"),
        ("review,topic\ra,b\r", {}, ":1: not valid CSV: the line contains a carriage return"),
        ("review,topic\na,b\n ,c\n", {}, ":3: column 'review': the text is empty"),
        (b"review,topic\na\0,b\n", {}, ":2: byte 14 is NUL, which is not valid in a text; is this a text file"),
        ("review,topic\n".encode("utf-16"), {}, ":1: the file is UTF-16; save it as UTF-8"),
        (b"review,topic\nb\xe9,b\n", {}, ":2: byte 14 (0xe9) is not UTF-8; save the file as UTF-8"),
        (
            "review,y,split\na,b,dev\n",
            {"split": "split"},
            ":2: column 'split': expected train, validation, test, found 'dev'",
        ),
        ("review,y,split\na,b,Test\n", {"split": "split"}, "found 'Test'; did you mean 'test'?"),
        (
            "review,y,split\na,b,\n",
            {"split": "split"},
            ":2: column 'split': expected train, validation, test, found an",
        ),
        ("review,y,id\na,b,7\nc,d, 7\n", {"id": "id"}, ":3: duplicate id '7' ("),
        ("review,y,id\na,b,\n", {"id": "id"}, ":2: column 'id': expected an id, found an empty text"),
        ("review,y,w\na,b,high\n", {"weights": {"y": "w"}}, ":2: column 'w': expected a number, found 'high'"),
        (
            "review,y,w\na,b,-1\n",
            {"weights": {"y": "w"}},
            ":2: column 'w': expected a weight of at least 0, found '-1'",
        ),
        ("a,b\n1,x\n", {"numbers": ["a", "b"]}, ":2: column 'b': expected a number, found 'x'"),
        ("a,b\n1,\n", {"numbers": ["a", "b"]}, ":2: column 'b': expected a number, found an empty text"),
        ("a,b\n1,nan\n", {"numbers": ["a", "b"]}, ":2: column 'b': expected a number, found 'nan'"),
        ("a,b\n1_0,2\n", {"numbers": ["a", "b"]}, ":2: column 'a': expected a number, found '1_0'"),
        ("a,b\n1,1e39\n", {"numbers": ["a", "b"]}, ":2: column 'b': the number 1e+39 is too large"),
        ("w,y\n,z\n", {"words": "w"}, ":2: column 'w': the list of words is empty"),
        (
            "w,y\na||b,z\n",
            {"words": "w", "lists": {"w": "|"}},
            ":2: column 'w': expected a word at position 2, found an",
        ),
    ],
)
@pytest.mark.parametrize("large", [False, True], ids=["in memory", "on demand"])
def test_invalid_csv_is_refused_with_its_location(
    content: str | bytes,
    fields: dict[str, Any],
    message: str,
    large: bool,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if large:
        request.getfixturevalue("on_demand")
    assert message in load_error(tmp_path, content, **fields)


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        ("", {}, ": the file is empty, expected one JSON object per line"),
        ('{"review": "a"}\n{"review": }', {}, ":2: not valid JSON: Expecting value (character 12)"),
        ('{"review": "a"}\n["b"]', {}, ':2: expected a JSON object, found ["b"]'),
        ('{"review": "a", "review": "b"}', {}, ":1: the key 'review' occurs twice"),
        ('{"review": "a", "y": NaN}', {}, ":1: not valid JSON: NaN is not a JSON number"),
        (
            '{"review": "a", "y": 1e999}',
            {},
            ":1: column 'y': expected a text, a number or a list of them, found inf",
        ),
        (
            '{"review": "a", "y": {"z": 1}}',
            {},
            ":1: column 'y': expected a text, a number or a list of them, found an obj",
        ),
        (
            '{"review": "a", "y": [[1]]}',
            {},
            ":1: column 'y': expected a text, a number or a list of them, found [1]",
        ),
        ('{"review": "\\ud800"}', {}, ":1: an escape such as \\ud800 is an unpaired surrogate"),
        ('{"revue": "a"}', {}, ":1: no column 'review'; did you mean 'revue'? (columns: revue)"),
        ('{"review": null}', {}, ":1: column 'review': the cell is empty"),
        ('{"review": 5}', {}, ":1: column 'review': expected a text, found 5"),
        (
            '{"review": "a", "topic": 1}',
            {"labels": ["topik"]},
            ": no column 'topik'; did you mean 'topic'? (columns:",
        ),
        ('{"review": "a"}', {"id": "number"}, ":1: no column 'number' (columns: review)"),
        ('{"review": "a", "number": true}', {"id": "number"}, ":1: column 'number': expected an id, found True"),
        ('{"w": ["a", 1]}', {"words": "w"}, ":1: column 'w': expected a word at position 2, found 1"),
        ('{"w": 1}', {"words": "w"}, ":1: column 'w': expected a list of words, found 1"),
        ('{"v": [1, true]}', {"numbers": ["v"]}, ":1: column 'v': expected a number, found True"),
        ("[" * 100_000, {}, ":1: not valid JSON: "),
        ('{"review": "a", "y": ' + "9" * 5000 + "}", {}, ":1: not valid JSON: "),
    ],
    ids=range(20),
)
def test_invalid_json_lines_are_refused_with_their_location(
    content: str, fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert message in load_error(tmp_path, content, "a.jsonl", **fields)


def test_invalid_parquet_is_refused_with_its_location(tmp_path: Path) -> None:
    assert ": cannot be read as Parquet: " in load_error(tmp_path, REVIEWS, "a.parquet")
    path = tmp_path / "b.parquet"
    for table, message in [
        (pa.table([["a"], ["b"]], names=["review", "review"]), ": two columns are called 'review'"),
        (pa.table({"revue": ["a"]}), ": no column 'review'; did you mean 'revue'? (columns: revue)"),
        (pa.table({"review": ["a", ""]}), ": row 2: column 'review': the text is empty"),
        (pa.table({"review": ["a"], "y": [{"z": 1}]}), ": column 'y' is of type struct<z: int64>, expected texts"),
    ]:
        parquet.write_table(table, path)
        with pytest.raises(MtlError) as excinfo:
            Table(train=path, text="review").load()
        assert f"{path}{message}" in str(excinfo.value)


def test_parquet_without_pyarrow_reports_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert load_error(tmp_path, b"PAR1", "a.parquet") == ': Parquet files need pyarrow: pip install "mtl-core[parquet]"'


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "expected one of `text`, `words`, `numbers` and `inputs`, which define the inputs; found none of them"),
        ({"text": "a", "words": "b"}, "; found text and words"),
        ({"text": "a", "labels": ["b", "b"]}, "`labels` names 'b' twice"),
        ({"text": "a", "labels": ["b", "a"]}, "the column 'a' cannot be both an input and a label"),
        (
            {"text": "a", "labels": ["abc"], "weights": {"abd": "w"}},
            "`weights` names 'abd', which is not a column; did",
        ),
        (
            {"text": "a", "labels": ["abc"], "lists": {"abd": ";"}},
            "`lists` names 'abd', which is not a column; did you",
        ),
        ({"text": "a", "delimiter": '"'}, "'\"' cannot separate cells"),
        ({"text": "a", "split": "b", "test": Path("t.csv")}, "so a `test` file is not allowed"),
        (
            {"text": "a", "test": Path("t.json")},
            "t.json: the file extension '.json' is not supported for tables; did you mean '.jsonl'? (supported",
        ),
        ({"text": "a", "test": Path("table")}, "table: a missing file extension is not supported for tables"),
    ],
)
def test_contradictory_settings_are_refused_before_reading(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as excinfo:
        Table(train=Path("nowhere.csv"), **fields)
    assert message in str(excinfo.value)


def test_loaded_file_with_an_unsupported_extension(tmp_path: Path) -> None:
    table = Table(train=tmp_path / "a.csv", text="review")
    with pytest.raises(MtlError, match=r"a\.txt: the file extension '\.txt' is not supported for tables"):
        table.load_file(tmp_path / "a.txt", [])
    with pytest.raises(MtlError, match=r"a\.csv: no such file"):
        table.load_file(tmp_path / "a.csv", [])


def test_command_line_reports_key_and_location(tmp_path: Path, mtl: Any) -> None:
    write(tmp_path, REVIEWS)
    experiment = write(
        tmp_path,
        "data: {type: table, train: reviews.csv, text: review}\nencoder: array\nbackbone: identity\n"
        "tasks: [{each: '*', head: linear}]\n",
        "reviews.yaml",
    )
    assert mtl("validate", experiment).returncode == 0
    result = mtl("validate", experiment, "--set", "data.test=reviews.txt")
    assert result.returncode == 2
    assert "--set data.test: reviews.txt: the file extension '.txt' is not supported for tables" in result.stderr


CELLS = st.text(st.characters(codec="utf-8"), max_size=8)
TOKENS = st.sampled_from(
    rb"""" , { } : [ ] "a" "\ud800" 1 1e999 null - NaN review review,y {"review":"x"} {"review":"x","y":""".split()
)
BREAKS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\t", b" ", b"review,y\n", "ü".encode()])
ANYTHING = st.sampled_from([b"\xff", b"\0", b"\xef\xbb\xbf"]) | st.binary(max_size=3)
STARTS = st.sampled_from([b"", b"review,y\n", b"review\ty\n", b'{"review": "x", "y": 1}\n'])
SOUP = st.lists(TOKENS | BREAKS, max_size=20) | st.lists(TOKENS | BREAKS | ANYTHING, max_size=20)
BYTES = st.tuples(STARTS, SOUP.map(b"".join)).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(content=BYTES, name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]), quoted=st.booleans(), large=st.booleans())
def test_any_bytes_are_read_or_refused(
    content: bytes, name: str, quoted: bool, large: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content, name)
    limit = csv.field_size_limit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_corpus, "MAX_BYTES_IN_MEMORY", -1 if large else 2**20)
        message = str(path)
        try:
            corpus = Table(train=path, text="review", quoted=quoted).load()
            assert len(list(corpus.inputs)) == len(corpus)
        except MtlError as error:
            message = str(error)
    assert message.encode().startswith(str(path).encode())
    assert csv.field_size_limit() == limit


# Tables that are too large for memory


MANY_COLUMNS = """\
name,w,x,split,y,stars,trust
a,good soup,1,train,p,1.5,1
b,slow staff,2,train,n,2.5,
c,good soup,3,validation,,3.5,0.25
a,"so
so",4,test,p,,2
"""


@pytest.mark.parametrize("fields", [{"words": "w"}, {"numbers": ["x", "trust"]}, {"text": "w"}], ids=repr)
@pytest.mark.parametrize("identified", [False, True])
def test_every_kind_of_input_can_be_read_on_demand(
    fields: dict[str, Any], identified: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = MANY_COLUMNS if "numbers" not in fields else MANY_COLUMNS.replace("train,n,2.5,", "train,n,2.5,7")
    train = write(tmp_path, content)
    table = Table(train=train, split="split", id="name" if identified else None, weights={"y": "trust"}, **fields)
    in_memory = table.load()
    monkeypatch.setattr(table_corpus, "MAX_BYTES_IN_MEMORY", -1)
    lazy_corpus = table.load()
    assert describe_corpus(lazy_corpus) == describe_corpus(in_memory)
    assert isinstance(lazy_corpus.inputs, StoredInputs)
    assert lazy_corpus.inputs.sizes.tolist() == [len(value) for value in in_memory.inputs]  # type: ignore[arg-type]
    assert lazy_corpus.get_row_indices("train").tolist() == [0, 1]
    for lazy_column, column in [
        (lazy_corpus.inputs, in_memory.inputs),
        (lazy_corpus.ids, in_memory.ids),
        (lazy_corpus.locations, in_memory.locations),
    ]:
        assert str(lazy_column[-1]) == str(column[3])
        assert str(list(lazy_column[1:3])) == str(list(column[1:3]))
        with pytest.raises(IndexError):
            lazy_column[4]


@pytest.mark.usefixtures("on_demand")
def test_all_formats_can_be_read_on_demand(tmp_path: Path) -> None:
    corpus = Table(
        train=write(tmp_path, REVIEWS),
        validation=write(tmp_path, '{"review": "Three"}\n\n{"review": "Four"}', "v.jsonl"),
        test=write_parquet(tmp_path / "t.parquet", [{"review": "Five"}, {"review": "Six"}]),
        text="review",
    ).load()
    assert [corpus.inputs[row] for row in (6, 4, 2, 0, 5, 3)] == [
        "Six",
        "Four",
        "Meh",
        "Good soup.",
        "Five",
        "Three",
    ]
    assert list(corpus.ids) == ["1", "2", "3", "1", "2", "1", "2"]
    assert list_locations(corpus)[4:6] == ["v.jsonl:3", "t.parquet: row 1"]


@pytest.mark.usefixtures("on_demand")
def test_columns_use_compact_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_stores, "MAX_DISTINCT_VALUES", 300)
    rows = [
        {"review": "a", "id": row, "few": row % 256, "more": row % 257, "price": row / 3, "mixed": [row]}
        for row in range(1000)
    ]
    corpus = load(tmp_path, format_json_lines(rows), "a.jsonl", id="id")
    labels = corpus.labels
    assert isinstance(labels["few"], CategoricalColumn)
    assert labels["few"].codes.dtype == np.uint8
    assert isinstance(labels["more"], CategoricalColumn)
    assert labels["more"].codes.dtype == np.uint16
    assert isinstance(labels["price"], NumericColumn)
    assert isinstance(labels["mixed"], JsonColumn)
    assert isinstance(corpus.ids, UniqueIds)
    assert isinstance(load(tmp_path, format_json_lines(rows), "a.jsonl").ids, RowNumbers)


@pytest.mark.usefixtures("on_demand")
def test_ids_are_unique_per_split(tmp_path: Path) -> None:
    rows = "review,id,split\na,x,train\nb,y,train\nc,x,test\nd,y,{}\ne,x,{}\n"
    assert list(load(tmp_path, rows.format("test", "validation"), id="id", split="split").ids) == list("xyxyx")
    message = load_error(tmp_path, rows.format("train", "test"), id="id", split="split")
    assert message == f":5: duplicate id 'y' ({tmp_path}/reviews.csv:3)"


@pytest.mark.usefixtures("on_demand")
def test_changed_file_is_refused(tmp_path: Path) -> None:
    corpus = load(tmp_path, REVIEWS)
    write(tmp_path, REVIEWS.replace("Good", "Very good"))
    with pytest.raises(MtlError, match=r"reviews\.csv: was changed while it was in use"):
        corpus.inputs[0]


@pytest.mark.usefixtures("on_demand")
def test_copy_of_a_parquet_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "t.parquet", [{"review": "Five"}])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with pytest.raises(MtlError, match=r"t\.parquet: its inputs cannot be copied to .*temporary: No such file"):
        Table(train=path, text="review").load()
    (tmp_path / "temporary").mkdir()
    corpus = Table(train=path, text="review").load()
    assert corpus.inputs[0] == "Five"
    del corpus
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("limit", [-1, 2**20])
def test_long_cells_do_not_change_the_csv_module(limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_corpus, "MAX_BYTES_IN_MEMORY", limit)
    before = csv.field_size_limit()
    text = "soup " * 40_000
    corpus = load(tmp_path, f"review,y\n{text},a\n")
    assert corpus.inputs[0] == text.strip()
    with pytest.raises(MtlError) as excinfo:
        load(tmp_path, f"review,y\n{text}\n")
    assert csv.field_size_limit() == before
    assert "1 cell, expected 2" in str(excinfo.value)


def test_group_hashes_are_the_same_in_every_process() -> None:
    assert hash_text("good soup") == -499518594998653652


INTEGERS = st.integers(-(2**60), 2**60)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | CELLS
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"review": TEXTS | st.sampled_from(["Soup", "SOUP ", "so up"])},
        optional={
            "any": SCALARS | st.lists(st.none() | INTEGERS | CELLS.filter(str.strip), max_size=3),
            "number": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
            "whole": st.none() | st.integers(-(2**54), 2**54),
            "trust": st.none() | st.floats(0, 1000),
        },
    ),
    max_size=30,
)


def format_csv(records: Records, end: str) -> str:
    """Render cells as a spreadsheet does, lists with semicolons; replace NUL, which is invalid in text files."""
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator=end)
    names = ["review", "any", "number", "whole", "trust"]
    writer.writerow(names)
    for record in records:
        cells = [record.get(name) for name in names]
        texts = [";".join(map(str, cell)) if isinstance(cell, list) else "" if cell is None else cell for cell in cells]
        writer.writerow([str(cell).replace("\0", " ") or " " for cell in texts])
    return file.getvalue()


@settings(max_examples=120, deadline=None)
@given(
    records=ROWS,
    name=st.sampled_from(["a.csv", "a.jsonl", "a.parquet"]),
    many=st.integers(1, 8),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    order=st.randoms(use_true_random=False),
)
def test_on_demand_table_equals_table_in_memory(
    records: Records, name: str, many: int, end: str, order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    weights, labels = {"any": "trust"}, ["any", "number", "whole"]
    if name == "a.parquet":
        columns = {"review": [record["review"] for record in records]}
        for column in ("number", "whole", "trust"):
            kind = pa.int64() if column == "whole" else pa.float64()
            columns[column] = pa.array([record.get(column) for record in records], kind)
        columns["any"] = [None if record.get("any") is None else str(record["any"]) for record in records]
        path = folder / name
        parquet.write_table(pa.table(columns), path, row_group_size=7)
    elif name == "a.csv":
        path = write(folder, format_csv(records, end), name)
    else:
        records = [{"review": "first", "any": 1, "number": 1, "whole": 1, "trust": 1}, *records]
        path = write(folder, end.join(json.dumps(record, ensure_ascii=False) for record in records), name)
    table = Table(train=path, text="review", labels=labels, weights=weights, lists={"any": ";"})
    in_memory = table.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_corpus, "MAX_BYTES_IN_MEMORY", -1)
        patch.setattr(table_stores, "MAX_DISTINCT_VALUES", many)
        lazy_corpus = table.load()
    assert isinstance(lazy_corpus.inputs, StoredInputs)
    assert describe_corpus(lazy_corpus) == describe_corpus(in_memory)
    assert lazy_corpus.inputs.sizes.tolist() == [len(str(text)) for text in in_memory.inputs]
    rows = list(range(len(in_memory))) * 2
    order.shuffle(rows)
    assert [lazy_corpus.inputs[row] for row in rows] == [in_memory.inputs[row] for row in rows]
