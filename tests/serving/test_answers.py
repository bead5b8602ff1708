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


def close(found: Any, expected: Any) -> None:
    """Assert that both values are equal, with a tolerance of 1e-5 for numbers."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-5)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            close(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == expected


@pytest.fixture(scope="module")
def predicted(notes_run: Path, texts: list[str], mtl_early: Mtl) -> list[dict[str, Any]]:
    """The predictions of the command line for the texts."""
    done = mtl_early("predict", notes_run, *texts, "--json", "--attention")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_text(client: TestClient, texts: list[str], predicted: list[dict[str, Any]]) -> None:
    for text, expected in zip(texts, predicted, strict=True):
        said = client.post("/predict", json={"text": text, "attention": True})
        assert said.status_code == 200
        close(said.json(), {**expected, "id": "1"})


def test_many_texts(client: TestClient, texts: list[str], predicted: list[dict[str, Any]]) -> None:
    said = client.post("/predict/batch", json={"texts": texts, "attention": True}).json()["answers"]
    close(said, predicted)


def test_clients_beside_each_other_get_their_own(
    client: TestClient, texts: list[str], predicted: list[dict[str, Any]]
) -> None:
    def ask(place: int) -> None:
        name = f"client-{place}"
        body = {"text": texts[place % len(texts)], "id": name, "attention": True}
        close(client.post("/predict", json=body).json(), {**predicted[place % len(texts)], "id": name})

    with ThreadPoolExecutor(16) as clients:
        list(clients.map(ask, range(4 * len(texts))))


def test_kinds_of_tasks_answer_in_their_ways(client: TestClient) -> None:
    said = client.post("/predict", json={"text": "Two nights in a clean flat .", "id": 17}).json()
    assert said["id"] == "17"
    assert said["tokens"] == ["Two", "nights", "in", "a", "clean", "flat", "."]
    tasks = said["tasks"]
    assert sum(tasks["place"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert tasks["place"]["label"] in tasks["place"]["probabilities"]
    assert isinstance(tasks["nights"]["label"], float)
    assert tasks["nights"]["probabilities"] == {}
    assert isinstance(tasks["tags"]["label"], list)
    assert len(tasks["pos"]["label"]) == len(tasks["pos"]["confidence"]) == 7
    assert "attention" not in tasks["nights"], "the request did not ask for attention"
    told = client.post("/predict", json={"text": "Two nights in a clean flat .", "attention": True}).json()
    assert sum(told["tasks"]["nights"]["attention"]) == pytest.approx(1, abs=1e-4)


def test_ids_come_back(client: TestClient) -> None:
    texts = ["Quiet .", {"text": "Loud .", "id": "r-17"}, {"text": "Dear .", "id": 4}, {"text": "Old ."}]
    said = client.post("/predict/batch", json={"texts": texts}).json()["answers"]
    assert [one["id"] for one in said] == ["1", "r-17", "4", "4"]
    assert [one["text"] for one in said] == ["Quiet .", "Loud .", "Dear .", "Old ."]


def test_a_text_that_cannot_be_read_spoils_no_other(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    asked = ["Quiet .", "explode", "", "refuse", "half \ud800 a sign", "y" * 4001, {"text": "Loud .", "id": "last"}]
    with caplog.at_level(logging.ERROR):
        body = json.dumps({"texts": asked})
        said = client.post("/predict/batch", content=body, headers={"Content-Type": "application/json"})
    answers = said.json()["answers"]
    assert said.status_code == 200
    assert [one["id"] for one in answers] == ["1", "2", "3", "4", "5", "6", "last"]
    assert [place for place, one in enumerate(answers) if "tasks" in one] == [0, 6]
    errors = [one.get("error") for one in answers]
    assert errors[1]["id"] in caplog.text
    assert "it exploded" in caplog.text
    assert "it exploded" not in said.text, "internal errors appear in the log only"
    assert errors[2] == {"where": "body.texts[2]", "found": "an empty text", "expected": "at least one word"}
    assert "it does not read this" in errors[3]["found"]
    assert errors[4]["found"] == "an unpaired surrogate, U+D800, at 5"
    assert (errors[5]["found"], errors[5]["expected"]) == ("4,001 characters", "at most 4,000")


def test_a_failure_has_an_id_and_its_traceback_is_in_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    said = client.post("/predict", json={"text": "explode"})
    assert said.status_code == 500
    error = said.json()["error"]
    assert error["id"] in caplog.text
    assert "RuntimeError: it exploded" in caplog.text
    assert client.post("/predict", json={"text": "Quiet ."}).status_code == 200


def test_figures_count_what_happened(client: TestClient) -> None:
    def figures() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
        }

    before = figures()
    client.post("/predict", json={"text": "Quiet ."})
    client.post("/predict/batch", json={"texts": ["Quiet ."] * 5})
    client.post("/predict", json={})
    client.get("/nowhere")
    after = figures()
    grown = {key: value - before.get(key, 0) for key, value in after.items()}
    assert grown["mtl_requests_total", "/predict", "200"] == 1
    assert grown["mtl_requests_total", "/predict/batch", "200"] == 1
    assert grown["mtl_requests_total", "/predict", "422"] == 1
    assert grown["mtl_requests_total", "other", "404"] == 1, "unknown paths share one series"
    assert grown["mtl_texts_total",] == 6
    assert grown["mtl_batch_texts_count",] == 2
    assert grown["mtl_request_seconds_count", "/predict"] == 2
    assert after["mtl_waiting_texts",] == 0


def test_health(client: TestClient) -> None:
    said = client.get("/health")
    assert (said.status_code, said.json()) == (200, {"live": True, "ready": True, "waiting": 0})
