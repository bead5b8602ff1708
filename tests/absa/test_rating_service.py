"""Ratings in `mtl serve`."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi import UploadFile
from fastapi.testclient import TestClient

from absa_plugin.rating.service import AT_ONCE, Job, Rater
from absa_plugin.rating.settings import Columns, Settings
from mtl_core.serving.limits import Limits
from mtl_core.serving.problems import Problem
from mtl_core.serving.run import load_app

FILE = b"shop,review\n" + b"A,The soup was lovely. The waiter was grim.\n" * 6 + b"B,The bill was dreadful.\n" * 5


@pytest.fixture(scope="module")
def client(mentions_run: Path) -> Iterator[TestClient]:
    """A client of a server with an upload limit of 20,000 bytes."""
    with TestClient(load_app(mentions_run, Limits(max_upload=20_000))) as made:
        yield made


def _send(client: TestClient, path: str = "/ratings", data: bytes = FILE, name: str = "r.csv", **fields: str):  # type: ignore[no-untyped-def]
    return client.post(path, files={"file": (name, data)}, data={"text": "review", "by": "shop", **fields})


def test_a_file_is_rated(client: TestClient) -> None:
    answer = _send(client)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["reviews"], told["file"]) == (11, "r.csv")
    first, second = told["products"]
    assert first["aspects"]["food"]["mentions"] == 6
    assert first["aspects"]["food"]["rating"] > 3 > first["aspects"]["service"]["rating"]
    assert second["aspects"]["price"]["rating"] < 3
    assert second["aspects"]["food"]["rating"] is None
    assert _send(client, min_mentions="6").json()["products"][1]["aspects"]["price"]["rating"] is None


def test_a_person_sends_a_form_and_sees_a_page(client: TestClient) -> None:
    form = client.get("/ratings")
    assert 'action="/ratings/page"' in form.text
    assert "food, price, service" in form.text
    page = _send(client, "/ratings/page", name="<b>r</b>.csv")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert ">In short</h2>" in page.text
    assert "<b>" not in page.text
    assert "<script" not in page.text
    assert 'href="/ratings"' in client.get("/").text


@pytest.mark.parametrize(
    ("data", "name", "fields", "message"),
    [
        (FILE, "r.csv", {"text": "reviw"}, "r.csv:1: there is no column 'reviw'; did you mean 'review'?"),
        (FILE + b"C,D,E\n", "../../r.csv", {}, "r.csv:13: 3 cells, expected 2"),
        (FILE, "r.exe", {}, "r.exe: the file extension '.exe' is not supported for tables"),
        (b"shop,review\n", "r.csv", {}, "r.csv: contains no review"),
    ],
)
def test_what_cannot_be_rated_is_told_by_the_senders_names(
    client: TestClient, data: bytes, name: str, fields: dict[str, str], message: str
) -> None:
    answer = _send(client, data=data, name=name, **fields)
    assert answer.status_code == 422
    assert answer.json()["error"]["found"].startswith(message)
    page = _send(client, "/ratings/page", data=data, name=name, **{"bad_rows": "refuse", **fields})
    assert page.status_code == 422
    assert 'role="alert"' in page.text


def test_a_file_that_is_too_large_is_refused(client: TestClient) -> None:
    answer = _send(client, data=FILE * 50)
    assert answer.status_code == 413
    assert answer.json()["error"]["expected"] == "at most 20,000 bytes"


def test_few_files_at_once_and_none_for_somebody_who_left(mentions_run: Path) -> None:
    with TestClient(load_app(mentions_run, Limits())) as client:
        rater = Rater(client.app.state.served)  # type: ignore[attr-defined]
        job = Job(UploadFile(io.BytesIO(FILE), filename="r.csv"), Columns("review"), Settings(), False)
        gone = Event()
        assert rater.rate(job, gone)[0].reviews == 11
        with ExitStack() as others:
            for _ in range(AT_ONCE):
                others.enter_context(rater.turn())
            with pytest.raises(Problem, match="too many files"):
                rater.rate(job, gone)
        gone.set()
        job.file.file.seek(0)
        with pytest.raises(Problem, match="a closed connection"):
            rater.rate(job, gone)


def test_a_run_that_cannot_rate_has_no_such_page(trained_run: Path) -> None:
    with TestClient(load_app(trained_run, Limits())) as client:
        assert client.get("/ratings").status_code == 404
        assert "/ratings" not in client.get("/").text
