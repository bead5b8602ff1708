"""The server answers every invalid request with an error response and continues to work."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"Content-Type": "application/json"}


def post_body(client: TestClient, body: bytes | str, path: str = "/predict", **headers: str) -> tuple[int, Any]:
    response = client.post(path, content=body, headers={**JSON, **headers})
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("path", "body", "status", "location", "actual", "expected"),
    [
        ("/predict", "nope", 400, "body", "invalid JSON: Expecting value (character 0)", "a JSON object"),
        (
            "/predict",
            '{"text": "a"',
            400,
            "body",
            "invalid JSON: Expecting ',' delimiter (character 12)",
            "a JSON object",
        ),
        ("/predict", b"\xff\xfe\xfd", 400, "body", "something that cannot be read", "a JSON object"),
        ("/predict", "[" * 40_000, 400, "body", "something that cannot be read", "a JSON object"),
        ("/predict", "", 422, "body", "nothing", "a value"),
        ("/predict", "[]", 422, "body", "a list of 0", "a JSON object"),
        ("/predict", "null", 422, "body", "null", "a JSON object"),
        ("/predict", "{}", 422, "body.text", "nothing", "a value"),
        ("/predict", '{"text": 5}', 422, "body.text", "5", "a string"),
        ("/predict", '{"text": null}', 422, "body.text", "null", "a string"),
        ("/predict", '{"text": "a", "attention": 1}', 422, "body.attention", "1", "true or false"),
        ("/predict", '{"text": "a", "id": 1.5}', 422, "body.id.str", "1.5", "a string"),
        ("/predict", '{"text": ""}', 422, "body.text", "an empty text", "at least one word"),
        ("/predict", '{"text": " \\n\\t\\u00a0"}', 422, "body.text", "an empty text", "at least one word"),
        (
            "/predict",
            '{"txt": "a"}',
            422,
            "body.txt",
            "unknown key 'txt'",
            "did you mean 'text'? (keys here: attention, omit_absent, data_set, text, inputs, id)",
        ),
        ("/predict/batch", '{"texts": []}', 422, "body.texts", "a list of 0", "at least one"),
        ("/predict/batch", '{"texts": "a"}', 422, "body.texts", '"a"', "a list"),
        (
            "/predict/batch",
            '{"texts": ["a", 3]}',
            422,
            "body.texts[1]",
            "3",
            "a string, or an object with a `text`",
        ),
        ("/predict/batch", '{"texts": [{"id": 1}]}', 422, "body.texts[0].text", "nothing", "a value"),
        ("/predict/batch", json.dumps({"texts": ["a"] * 51}), 422, "body.texts", "51 texts", "at most 50"),
        (
            "/predict",
            '{"text": "a", "data_set": "other"}',
            422,
            "body.data_set",
            "this run has one data set, which has no name; leave --data-set out",
            "what this run can read",
        ),
    ],
)
def test_invalid_body_is_described(
    client: TestClient, path: str, body: str, status: int, location: str, actual: str, expected: str
) -> None:
    assert post_body(client, body, path) == (
        status,
        {"error": {"location": location, "actual": actual, "expected": expected}},
    )


def test_json_content_type_is_required(client: TestClient) -> None:
    status, content = post_body(client, '{"text": "a"}', **{"Content-Type": "text/plain"})
    assert status == 422
    assert content["error"]["expected"] == "a JSON object, and the header `Content-Type: application/json`"


def test_errors_for_unknown_paths_and_methods_suggest_known_ones(client: TestClient) -> None:
    response = client.post("/predikt", json={"text": "a"})
    assert response.status_code == 404
    assert response.json()["error"]["expected"].endswith("; did you mean '/predict'?")
    response = client.get("/predict")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.json()["error"] == {"location": "method", "actual": "GET /predict", "expected": "POST"}
    assert client.get("/static/%2e%2e/limits.py").status_code == 404
    assert client.get("/static/nothing.js").status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦🍜🇫🇷" * 20,
        "السلام عليكم שלום 你好 こんにちは สวัสดี नमस्ते",
        "<script>alert(1)</script> <b>good</b> &amp; <!--",
        "\u0000\u0001\u001b[31m\ufeff\u202e",
        "Z̸̧̛a̷l̶g̵o̴" * 50,
        "a" * 4000,
        "?",
        "\n\n.\n\n",
    ],
)
def test_unusual_texts_are_accepted(client: TestClient, text: str) -> None:
    response = client.post("/predict", json={"text": text, "attention": True})
    assert response.status_code == 200
    assert response.json()["text"] == text


def test_unpaired_surrogate_is_rejected(client: TestClient) -> None:
    status, content = post_body(client, '{"text": "half \\ud83d"}')
    assert (status, content["error"]["actual"]) == (422, "an unpaired surrogate, U+D83D, at 5")
    status, content = post_body(client, '{"text": "whole", "id": "\\ud83d"}')
    assert (status, content["error"]["location"]) == (422, "body.text (its id)")


def test_large_body_is_rejected_before_it_is_read(client: TestClient) -> None:
    status, content = post_body(client, json.dumps({"text": "x" * 1_000_000}))
    assert status == 413
    assert content["error"] == {"location": "body", "actual": "1,000,012 bytes", "expected": "at most 50,000 bytes"}


def test_files_for_plugins_may_be_larger(client: TestClient) -> None:
    assert client.post("/demo/length", content=b"x" * 60_000).json() == 60_000
    assert client.post("/demo/length", content=b"x" * 90_000).status_code == 413


KEYS = ["text", "texts", "id", "attention", "omit_absent", "data_set"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
_bodies = (
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | _json.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(KEYS), _json, max_size=4).map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"text": st.text(min_size=1, max_size=200)}).map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_bodies, st.sampled_from(["/predict", "/predict/batch"]))
def test_any_body_gets_a_valid_response(client: TestClient, body: bytes, path: str) -> None:
    response = client.post(path, content=body, headers=JSON)
    assert response.status_code in {200, 400, 422}
    if response.status_code == 200:
        assert ("predictions" if path.endswith("batch") else "tasks") in response.json()
    else:
        assert {"location", "actual", "expected"} == set(response.json()["error"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]))
def test_any_path_gets_a_valid_response(client: TestClient, path: str, method: str) -> None:
    from urllib.parse import quote

    response = client.request(method, "/" + quote(path, errors="replace"))
    assert response.status_code < 500
