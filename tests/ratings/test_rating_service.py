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

from mtl_core.serving.errors import ApiError
from mtl_core.serving.limits import Limits
from mtl_core.serving.server import load_app
from mtl_ratings.rater import MAX_CONCURRENT_JOBS, Rater, RatingJob
from mtl_ratings.settings import Columns, Settings

pytestmark = pytest.mark.usefixtures("shared_pipelines")

FILE = b"shop,review\n" + b"A,The soup was lovely. The waiter was grim.\n" * 6 + b"B,The bill was dreadful.\n" * 5


@pytest.fixture(scope="module")
def client(mentions_run: Path) -> Iterator[TestClient]:
    """A client of a server with an upload limit of 20,000 bytes."""
    with TestClient(load_app(mentions_run, Limits(max_upload=20_000))) as test_client:
        yield test_client


def _post_file(client: TestClient, path: str = "/ratings", data: bytes = FILE, name: str = "r.csv", **fields: str):  # type: ignore[no-untyped-def]
    return client.post(path, files={"file": (name, data)}, data={"text": "review", "by": "shop", **fields})


def test_a_file_is_rated(client: TestClient) -> None:
    response = _post_file(client)
    assert response.status_code == 200
    ratings = response.json()
    assert (ratings["reviews"], ratings["file"]) == (11, "r.csv")
    first, second = ratings["products"]
    assert first["aspects"]["food"]["mentions"] == 6
    assert first["aspects"]["food"]["rating"] > 3 > first["aspects"]["service"]["rating"]
    assert second["aspects"]["price"]["rating"] < 3
    assert second["aspects"]["food"]["rating"] is None
    assert _post_file(client, min_mentions="6").json()["products"][1]["aspects"]["price"]["rating"] is None


def test_submitted_form_returns_a_page(client: TestClient) -> None:
    form = client.get("/ratings")
    assert 'action="/ratings/page"' in form.text
    assert "food, price, service" in form.text
    page = _post_file(client, "/ratings/page", name="<b>r</b>.csv")
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
def test_errors_use_the_names_of_the_request(
    client: TestClient, data: bytes, name: str, fields: dict[str, str], message: str
) -> None:
    response = _post_file(client, data=data, name=name, **fields)
    assert response.status_code == 422
    assert response.json()["error"]["actual"].startswith(message)
    page = _post_file(client, "/ratings/page", data=data, name=name, **{"bad_rows": "refuse", **fields})
    assert page.status_code == 422
    assert 'role="alert"' in page.text


def test_file_that_is_too_large_is_rejected(client: TestClient) -> None:
    response = _post_file(client, data=FILE * 50)
    assert response.status_code == 413
    assert response.json()["error"]["expected"] == "at most 20,000 bytes"


def test_concurrent_files_are_limited_and_closed_connections_stop(mentions_run: Path) -> None:
    with TestClient(load_app(mentions_run, Limits())) as client:
        rater = Rater(client.app.state.served)  # type: ignore[attr-defined]
        job = RatingJob(UploadFile(io.BytesIO(FILE), filename="r.csv"), Columns("review"), Settings(), False)
        disconnected = Event()
        assert rater.rate(job, disconnected)[0].reviews == 11
        with ExitStack() as turns:
            for _ in range(MAX_CONCURRENT_JOBS):
                turns.enter_context(rater.acquire_slot())
            with pytest.raises(ApiError, match="too many files"):
                rater.rate(job, disconnected)
        disconnected.set()
        job.file.file.seek(0)
        with pytest.raises(ApiError, match="a closed connection"):
            rater.rate(job, disconnected)


def test_run_without_ratings_has_no_ratings_page(trained_run: Path) -> None:
    with TestClient(load_app(trained_run, Limits())) as client:
        assert client.get("/ratings").status_code == 404
        assert "/ratings" not in client.get("/").text
