"""The server of a run with several input columns: requests with rows, their errors, and the page."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mixed_rows import INPUTS, build_rows, write_csv

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi.testclient import TestClient

from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment
from mtl_core.serving.limits import Limits
from mtl_core.serving.server import bind_socket, build_server, load_app

ROW = {"review": "good soup", "price": 20, "wait": 5, "seats": None, "cuisine": "thai"}


def train(folder: Path, inputs: dict[str, str], **columns: Any) -> Path:
    rows = [{**row, **columns} for row in build_rows(60, seed=1)]
    write_csv(folder / "train.csv", rows)
    experiment = {
        "data": {"type": "table", "train": "train.csv", "inputs": inputs, "labels": ["recommend"]},
        "encoder": {"type": "columns", "columns": {"review": {"dimensions": 4}}},
        "backbone": {"type": "mlp", "hidden_dims": [4]},
        "tasks": [{"name": "recommend", "kind": "classification", "head": "linear"}],
        "training": {"epochs": 1, "refit": False},
    }
    path = folder / "rows.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
    run_experiment(load_experiment(path).config, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("rows"), INPUTS)


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(load_app(run, Limits(max_text_length=100))) as client:
        yield client


@pytest.fixture
def url(run: Path) -> Iterator[str]:
    """The URL of a running server."""
    with bind_socket("127.0.0.1", 0) as server_socket:
        server_socket.listen(100)
        server = build_server(load_app(run, Limits()))
        thread = threading.Thread(target=lambda: server.run(sockets=[server_socket]))
        thread.start()
        yield f"http://127.0.0.1:{server_socket.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


def post(client: TestClient, body: dict[str, Any], path: str = "/predict") -> tuple[int, dict[str, Any]]:
    response = client.post(path, json=body)
    return response.status_code, response.json()


def test_a_row_is_predicted(client: TestClient) -> None:
    status, prediction = post(client, {"inputs": ROW, "attention": True})
    assert status == 200
    assert prediction["inputs"] == {**ROW, "price": 20.0, "wait": 5.0}
    assert prediction["text"] == "review: good soup, price: 20, wait: 5, cuisine: thai"
    assert set(prediction["tasks"]) == {"recommend"}
    assert prediction["id"] == "1"


def test_rows_are_predicted_in_one_request(client: TestClient) -> None:
    rows = [{"inputs": ROW, "id": "a"}, {"inputs": {"review": "x"}}, {"inputs": {**ROW, "cuisine": "never seen"}}]
    status, content = post(client, {"rows": rows}, "/predict/batch")
    assert status == 200
    first, second, third = content["predictions"]
    assert (first["id"], third["id"]) == ("a", "3")
    assert first["tasks"] == post(client, {"inputs": ROW})[1]["tasks"]
    assert second["error"]["actual"] == "body.rows[1].inputs: no column 'price' (columns: review)"


@pytest.mark.parametrize(
    ("body", "location", "actual", "expected"),
    [
        ({}, "body.inputs", "nothing", "cells of the columns review, price, wait, seats, cuisine"),
        ({"text": "soup"}, "body.text", "the inputs of this run are rows with the columns", "what this run can read"),
        ({"text": "soup", "inputs": ROW}, "body.inputs", "a text and inputs", "one of them"),
        ({"inputs": "soup"}, "body.inputs", '"soup"', "a JSON object"),
        (
            {"inputs": {**ROW, "price": "dear"}},
            "body.inputs",
            "column 'price': expected a number, found 'dear'",
            "what",
        ),
        ({"inputs": {"reviw": "x"}}, "body.inputs", "no column 'review'; did you mean 'reviw'?", "what this run"),
        ({"inputs": {**ROW, "review": "x" * 101}}, "body.inputs.review", "101 characters", "at most 100"),
        ({"inputs": {**ROW, "review": ["x"]}}, "body.inputs", "column 'review': expected a text, found ['x']", "what"),
    ],
)
def test_invalid_rows_are_described(
    client: TestClient, body: dict[str, Any], location: str, actual: str, expected: str
) -> None:
    status, content = post(client, body)
    assert status == 422
    error = content["error"]
    assert error["location"] == location
    assert error["actual"].startswith(actual)
    assert error["expected"].startswith(expected)


def test_empty_batch_is_described(client: TestClient) -> None:
    status, content = post(client, {}, "/predict/batch")
    assert (status, content["error"]["location"]) == (422, "body.rows")
    status, content = post(client, {"rows": [{"inputs": ROW}], "texts": ["soup"]}, "/predict/batch")
    assert (status, content["error"]["actual"]) == (422, "texts and rows")


def test_deeply_nested_and_broken_cells_are_refused(client: TestClient) -> None:
    nested = '{"inputs": {"review": ' + "[" * 500 + "]" * 500 + "}}"
    assert client.post("/predict", content=nested, headers={"Content-Type": "application/json"}).status_code == 422
    surrogate = '{"inputs": {"review": "\\ud800"}}'
    response = client.post("/predict", content=surrogate, headers={"Content-Type": "application/json"})
    assert "unpaired surrogate" in response.json()["error"]["actual"]


def test_page_has_a_field_per_column(client: TestClient) -> None:
    page = client.get("/").text
    for name in INPUTS:
        assert f'data-column="{name}"' in page
    assert page.count("<textarea") == 1
    assert "review: " in page, "examples are rows"
    assert "an empty field is a missing cell" in page


def test_documentation_shows_a_row(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert set(example["inputs"]) == set(INPUTS)
    assert client.post("/predict", json=example).status_code == 200
    batch = document["paths"]["/predict/batch"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post("/predict/batch", json=batch).status_code == 200


def test_a_single_text_column_is_a_text(tmp_path: Path) -> None:
    with TestClient(load_app(train(tmp_path, {"review": "text"}), Limits())) as client:
        assert post(client, {"text": "good soup"})[1]["inputs"] == {"review": "good soup"}
        assert post(client, {"inputs": {"review": "good soup"}})[0] == 200
        assert 'id="text"' in client.get("/").text


def test_images_are_data_urls(tmp_path: Path) -> None:
    """A path in a request would be opened on the server."""
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    inputs = {"review": "text", "photo": "image"}
    with TestClient(load_app(train(tmp_path, inputs, photo="a.png"), Limits(max_text_length=30))) as client:
        status, content = post(client, {"inputs": {"review": "x", "photo": str(tmp_path / "a.png")}})
        assert status == 422
        assert "column 'photo': a server reads no files" in content["error"]["actual"]
        data_url = "data:image/png;base64," + base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
        assert post(client, {"inputs": {"review": "x", "photo": data_url}})[0] == 200
        assert post(client, {"inputs": {"review": "x", "photo": None}})[0] == 200
        assert 'type="file"' in client.get("/").text
        example = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
        assert example["content"]["application/json"]["example"]["inputs"]["photo"] == data_url


def test_rows_in_one_line_of_a_file(client: TestClient) -> None:
    """The response is a line of `predictions.jsonl`."""
    assert list(json.loads(client.post("/predict", json={"inputs": ROW}).text))[:4] == ["id", "text", "inputs", "tasks"]


def test_form_in_a_browser(browser: Any, url: str) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        bodies, messages = [], []
        page.on("request", lambda request: bodies.append(request.post_data) if request.post_data else None)
        page.on("console", lambda message: messages.append(message.text))
        page.goto(url, wait_until="load")
        page.locator("[data-example]").first.click()
        page.wait_for_selector(".task")
        assert page.locator('[data-column="review"]').input_value()
        page.locator('[data-column="price"]').fill("12.5")
        page.locator('[data-column="cuisine"]').fill("")
        with page.expect_response("**/predict"):
            page.locator('[data-column="price"]').press("Enter")
        inputs = json.loads(bodies[-1])["inputs"]
        assert list(inputs) == list(INPUTS)
        assert (inputs["price"], inputs["cuisine"]) == ("12.5", None)
        page.locator('[data-column="price"]').fill("dear")
        page.locator("button[type=submit]").click()
        page.wait_for_selector("[role=alert]")
        assert page.locator("[role=alert]").inner_text().startswith("found column 'price': expected a number")
        assert all("422" in message for message in messages)
    finally:
        context.close()
