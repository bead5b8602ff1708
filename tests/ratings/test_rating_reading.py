"""Reading reviews from files: formats, invalid rows, dates."""

import csv
import datetime
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mtl_core.errors import MtlError
from mtl_ratings.readers.csv_file import MAX_CELL_CHARACTERS
from mtl_ratings.readers.open_reviews import open_reviews
from mtl_ratings.readers.review_file import BadRow
from mtl_ratings.reviews import Review, parse_period, read_reviews
from mtl_ratings.scan import scan_reviews
from mtl_ratings.settings import Columns

COLUMNS = Columns("review", "shop")


def _read_reviews(path: Path, columns: Columns = COLUMNS, **options: Any) -> list[Review | BadRow]:
    return list(read_reviews(open_reviews(path, columns.names, **options), columns))


def _get_texts(reviews: list[Review | BadRow]) -> list[tuple[str, str]]:
    return [(review.product, review.text) for review in reviews if isinstance(review, Review)]


def _write_file(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,shop,review\n1,A,fine\n2,B,\n"),
        ("a.csv", "\ufeffshop;review\nA;fine\nB;\n"),
        ("a.csv", "shop|note, long|review\nA|x|fine\nB|y|\n"),
        ("a.csv", '\n"shop","review"\r\n"A","fine"\r\n\r\n"B",""\r\n'),
        ("a.tsv", "shop\treview\nA\tfine\nB\t\n"),
        ("a.jsonl", '{"shop": "A", "review": "fine"}\n\n{"shop": "B", "review": null, "more": [1]}\n'),
        ("a.jsonl", '{"shop": "A", "review": "fine"}\n{"shop": "B"}\n'),
    ],
)
def test_formats_and_delimiters(name: str, text: str, tmp_path: Path) -> None:
    assert _get_texts(_read_reviews(_write_file(tmp_path / name, text))) == [("A", "fine"), ("B", "")]


def test_parquet_file_with_dates_is_read(tmp_path: Path) -> None:
    dates = [datetime.date(2025, 3, 1), None]
    table = pyarrow.table({"shop": [7.0, 8.0], "review": ["fine", None], "when": dates, "other": [[1], [2]]})
    parquet.write_table(table, tmp_path / "a.parquet")
    reviews = _read_reviews(tmp_path / "a.parquet", Columns("review", "shop", "when"))
    assert reviews == [
        Review("fine", "7", "2025-03", f"{tmp_path}/a.parquet: row 1", "row 1"),
        Review("", "8", None, f"{tmp_path}/a.parquet: row 2", "row 2"),
    ]
    with pytest.raises(MtlError, match=r"no column 'reviw'; did you mean 'review'\?"):
        _read_reviews(tmp_path / "a.parquet", Columns("reviw"))
    with pytest.raises(MtlError, match="cannot be read as Parquet"):
        _read_reviews(_write_file(tmp_path / "b.parquet", "shop"))


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=8), st.sampled_from(",;\t|"))
@settings(max_examples=30, deadline=None)
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str) -> None:
    rows = [(" ".join(shop.split()), text) for shop, text in rows]
    rows = [
        (shop, text)
        for shop, text in rows
        if shop and not set(shop + text) & {"\0", "\r", "\x85"} and (shop + text).isprintable()
    ]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([("shop", "review"), *rows])
    path = _write_file(tmp_path_factory.mktemp("csv") / "a.csv", text.getvalue())
    assert _get_texts(_read_reviews(path)) == rows


@pytest.mark.parametrize(
    ("name", "text", "line", "reason"),
    [
        ("a.csv", "shop,review\nA,one\nB,two,three\nC,four\n", 3, "3 cells, expected 2"),
        ("a.csv", 'shop,review\nA,one\nB,"two\nC,four\n', 3, "a quotation mark opens a cell that is never closed"),
        ("a.csv", 'shop,review\nA,one\nB,"two" and\nC,four\n', 3, "must be doubled"),
        ("a.csv", b"shop,review\nA,one\nB,caf\xe9\nC,four\n", 3, "is not UTF-8"),
        ("a.csv", b"shop,review\nA,one\nB,\0\nC,four\n", 3, "NUL"),
        ("a.csv", "shop,review\nA,one\n ,two\nC,four\n", 3, "column 'shop': expected a name or a number"),
        ("a.jsonl", '{"shop":"A","review":"one"}\n\n{"shop"\n{"shop":"C","review":"four"}\n', 3, "not valid JSON"),
        (
            "a.jsonl",
            '{"shop":"A","review":"one"}\n\n[1]\n{"shop":"C","review":"four"}\n',
            3,
            "expected a JSON object",
        ),
        (
            "a.jsonl",
            '{"shop":"A","review":"one"}\n\n{"shop":"B","review":5}\n{"shop":"C","review":"four"}\n',
            3,
            "column 'review': expected a text, found '5'",
        ),
        (
            "a.jsonl",
            '{"shop":"A","review":"one"}\n\n{"shop":"B","review":"\\ud800"}\n{"shop":"C","review":"four"}\n',
            3,
            "half a character",
        ),
        ("a.jsonl", b'{"shop":"A","review":"one"}\n\n\xff\n{"shop":"C","review":"four"}\n', 3, "is not UTF-8"),
        (
            "a.jsonl",
            '{"shop":"A","review":"one"}\n\n{"shop":true}\n{"shop":"C","review":"four"}\n',
            3,
            "expected a name",
        ),
    ],
)
def test_invalid_row_is_reported_and_other_rows_are_read(
    name: str, text: str | bytes, line: int, reason: str, tmp_path: Path
) -> None:
    path = _write_file(tmp_path / name, text)
    reviews = _read_reviews(path)
    assert _get_texts(reviews) == [("A", "one"), ("C", "four")]
    (bad,) = [one for one in reviews if isinstance(one, BadRow)]
    assert bad.location == f"{path}:{line}"
    assert reason in bad.reason
    with pytest.raises(MtlError, match=r":3: "):
        scan_reviews(open_reviews(path, COLUMNS.names), COLUMNS, skip_bad_rows=False)
    scan = scan_reviews(open_reviews(path, COLUMNS.names), COLUMNS, skip_bad_rows=True)
    assert (scan.n_reviews, scan.n_bad, scan.messages) == (2, 1, (str(bad),))


def test_two_unclosed_quotation_marks_invalidate_two_rows(tmp_path: Path) -> None:
    rows = [f"S{n},text {n}" for n in range(50)]
    rows[10], rows[20] = 'S10,"open', 'S20,"open too'
    reviews = _read_reviews(_write_file(tmp_path / "a.csv", "\n".join(["shop,review", *rows]) + "\n"))
    assert len(_get_texts(reviews)) == 48
    unquoted = _read_reviews(tmp_path / "a.csv", quoted=False)
    assert ("S10", '"open') in _get_texts(unquoted)
    assert len(_get_texts(unquoted)) == 50


def test_large_reviews_are_read_and_csv_field_limit_is_unchanged(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = _write_file(
        tmp_path / "a.csv", f"shop,review\nA,{'x' * 1_000_000}\nB,{'y' * (MAX_CELL_CHARACTERS + 1)}\nC,fine\n"
    )
    reviews = _read_reviews(path)
    assert [(name, len(text)) for name, text in _get_texts(reviews)] == [("A", 1_000_000), ("C", 4)]
    assert [one.location for one in reviews if isinstance(one, BadRow)] == [f"{path}:3"]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "the file is empty, expected a header"),
        ("a.csv", "shop,review\n", "contains no review"),
        ("a.csv", "shop,review\nA\n", "none of 1 rows can be read"),
        ("a.csv", "shop,Review\nA,b\n", "no column 'review'; did you mean 'Review'"),
        ("a.csv", "shop,review,review\nA,b,c\n", "two columns are called 'review'"),
        ("a.csv", "shop,review\nA,b\n".encode("utf-16"), "UTF-16"),
        ("a.jsonl", "", "contains no review"),
        ("a.jsonl", '{"shop": "A", "text": "b"}\n', "no column 'review'"),
        ("a.txt", "fine", "is not supported for tables"),
    ],
)
def test_invalid_review_file_is_rejected(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    path = _write_file(tmp_path / name, text)
    with pytest.raises(MtlError, match=message):
        scan_reviews(open_reviews(path, COLUMNS.names), COLUMNS, skip_bad_rows=True)


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match="no such file"):
        open_reviews(tmp_path / "a.csv", ["review"])
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(MtlError, match="is a folder"):
        open_reviews(tmp_path / "b.csv", ["review"])


def test_scan_counts_empty_and_undated_reviews(tmp_path: Path) -> None:
    rows = [("A", "fine", "2025-01-31"), ("A", " ", "2025-02"), ("A", "ok", "")]
    lines = [json.dumps({"shop": shop, "review": text, "when": when}) for shop, text, when in rows]
    path = _write_file(tmp_path / "a.jsonl", "\n".join(lines))
    columns = Columns("review", "shop", "when")
    scan = scan_reviews(open_reviews(path, columns.names), columns, skip_bad_rows=False)
    assert (scan.n_reviews, scan.n_empty, scan.n_undated, scan.n_bad) == (
        3,
        1,
        1,
        0,
    )


@pytest.mark.parametrize(
    ("cell", "written", "expected"),
    [
        ("2025-03-31", None, ("2025-03", "2025-Q1", "2025")),
        ("2025-04-01T23:59:59Z", None, ("2025-04", "2025-Q2", "2025")),
        ("2025-12", None, ("2025-12", "2025-Q4", "2025")),
        ("31/10/2024", "%d/%m/%Y", ("2024-10", "2024-Q4", "2024")),
        (datetime.datetime(2024, 7, 1, 12), None, ("2024-07", "2024-Q3", "2024")),
        (None, None, (None, None, None)),
        (" ", None, (None, None, None)),
    ],
)
def test_dates_are_mapped_to_periods(cell: object, written: str | None, expected: tuple[str | None, ...]) -> None:
    assert tuple(parse_period(cell, period, written) for period in ("month", "quarter", "year")) == expected


@pytest.mark.parametrize("cell", ["31/10/2024", "yesterday", 1700000000, "2025-13-01"])
def test_invalid_date_is_rejected(cell: object) -> None:
    with pytest.raises(MtlError, match="expected a date such as 2025-03-31, found"):
        parse_period(cell, "month")
