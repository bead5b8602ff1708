"""`POST /predict` and `POST /predict/batch` return what `mtl predict` prints, also for concurrent clients."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

Mtl = Callable[..., CompletedProcess[str]]


def assert_close(actual: Any, expected: Any) -> None:
    """Assert that both values are equal, with a tolerance of 1e-5 for numbers."""
    if isinstance(expected, float):
        assert actual == pytest.approx(expected, abs=1e-5)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key, value in expected.items():
            assert_close(actual[key], value)
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for actual_item, expected_item in zip(actual, expected, strict=True):
            assert_close(actual_item, expected_item)
    else:
        assert actual == expected


@pytest.fixture(scope="module")
def expected_predictions(notes_run: Path, texts: list[str], mtl_uncaptured: Mtl) -> list[dict[str, Any]]:
    """The predictions of the command line for the texts."""
    result = mtl_uncaptured("predict", notes_run, *texts, "--json", "--attention")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_predict_one_text(client: TestClient, texts: list[str], expected_predictions: list[dict[str, Any]]) -> None:
    for text, expected in zip(texts, expected_predictions, strict=True):
        response = client.post("/predict", json={"text": text, "attention": True})
        assert response.status_code == 200
        assert_close(response.json(), {**expected, "id": "1"})


def test_predict_batch(client: TestClient, texts: list[str], expected_predictions: list[dict[str, Any]]) -> None:
    predictions = client.post("/predict/batch", json={"texts": texts, "attention": True}).json()["predictions"]
    assert_close(predictions, expected_predictions)


def test_concurrent_clients_get_correct_predictions(
    client: TestClient, texts: list[str], expected_predictions: list[dict[str, Any]]
) -> None:
    def post_text(index: int) -> None:
        name = f"client-{index}"
        body = {"text": texts[index % len(texts)], "id": name, "attention": True}
        assert_close(
            client.post("/predict", json=body).json(), {**expected_predictions[index % len(texts)], "id": name}
        )

    with ThreadPoolExecutor(16) as clients:
        list(clients.map(post_text, range(4 * len(texts))))


def test_predictions_of_each_task_kind(client: TestClient) -> None:
    prediction = client.post("/predict", json={"text": "Two nights in a clean flat .", "id": 17}).json()
    assert prediction["id"] == "17"
    assert prediction["tokens"] == ["Two", "nights", "in", "a", "clean", "flat", "."]
    tasks = prediction["tasks"]
    assert sum(tasks["place"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert tasks["place"]["label"] in tasks["place"]["probabilities"]
    assert isinstance(tasks["nights"]["label"], float)
    assert tasks["nights"]["probabilities"] == {}
    assert isinstance(tasks["tags"]["label"], list)
    assert len(tasks["pos"]["label"]) == len(tasks["pos"]["confidence"]) == 7
    assert "attention" not in tasks["nights"], "the request did not ask for attention"
    prediction_with_attention = client.post(
        "/predict", json={"text": "Two nights in a clean flat .", "attention": True}
    ).json()
    assert sum(prediction_with_attention["tasks"]["nights"]["attention"]) == pytest.approx(1, abs=1e-4)


def test_ids_are_returned(client: TestClient) -> None:
    texts = ["Quiet .", {"text": "Loud .", "id": "r-17"}, {"text": "Dear .", "id": 4}, {"text": "Old ."}]
    predictions = client.post("/predict/batch", json={"texts": texts}).json()["predictions"]
    assert [prediction["id"] for prediction in predictions] == ["1", "r-17", "4", "4"]
    assert [prediction["text"] for prediction in predictions] == ["Quiet .", "Loud .", "Dear .", "Old ."]


def test_invalid_text_does_not_affect_other_texts(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    texts = ["Quiet .", "explode", "", "refuse", "half \ud800 a sign", "y" * 4001, {"text": "Loud .", "id": "last"}]
    with caplog.at_level(logging.ERROR):
        body = json.dumps({"texts": texts})
        response = client.post("/predict/batch", content=body, headers={"Content-Type": "application/json"})
    predictions = response.json()["predictions"]
    assert response.status_code == 200
    assert [prediction["id"] for prediction in predictions] == ["1", "2", "3", "4", "5", "6", "last"]
    assert [index for index, prediction in enumerate(predictions) if "tasks" in prediction] == [0, 6]
    errors = [prediction.get("error") for prediction in predictions]
    assert errors[1]["id"] in caplog.text
    assert "it exploded" in caplog.text
    assert "it exploded" not in response.text, "internal errors appear in the log only"
    assert errors[2] == {"location": "body.texts[2]", "actual": "an empty text", "expected": "at least one word"}
    assert "it does not read this" in errors[3]["actual"]
    assert errors[4]["actual"] == "an unpaired surrogate, U+D800, at 5"
    assert (errors[5]["actual"], errors[5]["expected"]) == ("4,001 characters", "at most 4,000")


def test_internal_error_has_an_id_and_a_logged_traceback(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.post("/predict", json={"text": "explode"})
    assert response.status_code == 500
    error = response.json()["error"]
    assert error["id"] in caplog.text
    assert "RuntimeError: it exploded" in caplog.text
    assert client.post("/predict", json={"text": "Quiet ."}).status_code == 200


def test_metrics_count_requests(client: TestClient) -> None:
    def load_samples() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
        }

    before = load_samples()
    client.post("/predict", json={"text": "Quiet ."})
    client.post("/predict/batch", json={"texts": ["Quiet ."] * 5})
    client.post("/predict", json={})
    client.get("/nowhere")
    after = load_samples()
    increases = {key: value - before.get(key, 0) for key, value in after.items()}
    assert increases["mtl_requests_total", "/predict", "200"] == 1
    assert increases["mtl_requests_total", "/predict/batch", "200"] == 1
    assert increases["mtl_requests_total", "/predict", "422"] == 1
    assert increases["mtl_requests_total", "other", "404"] == 1, "unknown paths share one series"
    assert increases["mtl_texts_total",] == 6
    assert increases["mtl_batch_texts_count",] == 2
    assert increases["mtl_request_seconds_count", "/predict"] == 2
    assert after["mtl_queue_length",] == 0


def test_health(client: TestClient) -> None:
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"live": True, "ready": True, "queue_length": 0})
