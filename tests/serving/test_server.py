"""A server with a socket: timeouts, a full queue, disconnects, shutdown."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest

Mtl = Callable[..., CompletedProcess[str]]
Served = Callable[..., AbstractContextManager[tuple[int, Any]]]


def post_text(port: int, text: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": text, **fields}, timeout=20)


@contextmanager
def open_connection(port: int, head: str, body: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        yield connection


def format_request_head(path: str, length: int) -> str:
    return f"POST {path} HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: {length}\n"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def get_metrics(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text


def test_timeout_and_full_queue(served: Served, blocked_network: Any) -> None:
    with (
        served(timeout=0.5, max_queue=3, max_texts=3, batch_size=1) as (port, app),
        ThreadPoolExecutor(8) as clients,
    ):
        queue = app.state.served.worker.queue
        blocked_request = clients.submit(post_text, port, "hold")
        wait_until(blocked_network.blocked_file.exists)
        queued_requests = [clients.submit(post_text, port, "Quiet .") for _ in range(3)]
        wait_until(lambda: len(queue) == 3)
        rejected = post_text(port, "Loud .")
        assert rejected.status_code == 503
        assert int(rejected.headers["Retry-After"]) >= 1
        assert rejected.json()["error"]["actual"] == "3 texts in the queue"
        assert blocked_request.result().status_code == 504
        assert blocked_request.result().json()["error"]["expected"] == "a response within 0.5 s"
        assert [request.result().status_code for request in queued_requests] == [504] * 3
        blocked_network.unblock()
        wait_until(lambda: len(queue) == 0)
        assert post_text(port, "Quiet .").status_code == 200
        assert "mtl_texts_total 3.0" in get_metrics(port), (
            "the warm-up text, the slow one and the last one; no text that timed out in the queue"
        )


def test_queued_texts_form_one_batch(served: Served, blocked_network: Any) -> None:
    with served(batch_size=16) as (port, app), ThreadPoolExecutor(16) as clients:
        blocked_request = clients.submit(post_text, port, "hold")
        wait_until(blocked_network.blocked_file.exists)
        queued_requests = [clients.submit(post_text, port, "Quiet .", id=index) for index in range(12)]
        wait_until(lambda: len(app.state.served.worker.queue) == 12)
        blocked_network.unblock()
        assert [request.result().json()["id"] for request in queued_requests] == [str(index) for index in range(12)]
        assert blocked_request.result().status_code == 200
        metrics_text = get_metrics(port)
        assert 'mtl_batch_texts_bucket{le="1.0"} 2.0' in metrics_text, "the warm-up text and the slow one"
        assert "mtl_batch_texts_count 3.0" in metrics_text, "and the twelve texts in one batch"


def test_request_of_disconnected_client_is_cancelled(served: Served, blocked_network: Any) -> None:
    with served(batch_size=1) as (port, app):
        queue = app.state.served.worker.queue
        body = json.dumps({"texts": ["hold"] * 50}).encode()
        with open_connection(port, format_request_head("/predict/batch", len(body)), body):
            wait_until(lambda: len(queue) == 49)
        wait_until(lambda: 'mtl_requests_total{path="/predict/batch",status="499"} 1.0' in get_metrics(port))
        blocked_network.unblock()
        assert post_text(port, "Quiet .").status_code == 200
        assert "mtl_texts_total 3.0" in get_metrics(port), "the warm-up text, the one in progress and the last one"


def test_disconnect_within_a_body_does_not_affect_other_clients(served: Served) -> None:
    with served() as (port, _):
        with open_connection(port, format_request_head("/predict", 1000), b'{"text": "half'):
            pass
        assert post_text(port, "Quiet .").status_code == 200


@pytest.mark.parametrize("has_content_length", [True, False])
def test_large_body_is_rejected_while_it_is_received(served: Served, has_content_length: bool) -> None:
    with served(max_bytes=10_000) as (port, _):
        head = format_request_head("/predict", 10**9)
        if not has_content_length:
            head = head.replace(f"Content-Length: {10**9}", "Transfer-Encoding: chunked")
        chunk = b"x" * 4096 if has_content_length else b"1000\r\n" + b"x" * 4096 + b"\r\n"
        with open_connection(port, head, chunk) as connection:
            for _ in range(3):
                try:
                    connection.sendall(chunk)
                except OSError:
                    break
            assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
        assert post_text(port, "Quiet .").status_code == 200


def test_connection_is_reused_after_an_error(served: Served) -> None:
    with served() as (port, _), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for body in ({}, {"text": ""}, {"text": "explode"}, {"text": "Quiet ."}):
            response = client.post("/predict", json=body)
            assert "close" not in response.headers.get("Connection", "")
        assert response.status_code == 200


def test_accepted_requests_complete_before_shutdown(served: Served, blocked_network: Any) -> None:
    with served(batch_size=1) as (port, app), ThreadPoolExecutor(4) as clients:
        worker = app.state.served.worker
        requests = [clients.submit(post_text, port, "hold") for _ in range(3)]
        wait_until(lambda: blocked_network.blocked_file.exists() and len(worker.queue) == 2)
        app.state.server.should_exit = True
        blocked_network.unblock()
        assert [request.result().status_code for request in requests] == [200, 200, 200]
        wait_until(lambda: not worker.is_ready)


def test_plugin_routes_can_predict(served: Served) -> None:
    with served(batch_size=4) as (port, _):
        url = f"http://127.0.0.1:{port}"
        labels = httpx.get(f"{url}/demo/places", params={"texts": 11}, timeout=20).json()
        assert [label.split()[0] for label in labels] == [str(number) for number in range(11)]
        expected_label = post_text(port, "hotel number 7").json()["tasks"]["place"]["label"]
        assert labels[7] == f"7 {expected_label}"
        assert "/demo/places" in httpx.get(f"{url}/openapi.json").json()["paths"]
        assert '<a href="/demo">Demo</a>: Places, by number.' in httpx.get(url).text
        assert "<h1>Demo</h1>" in httpx.get(f"{url}/demo").text
        assert httpx.get(f"{url}/nothing").status_code == 404


# ── the command `mtl serve` ──


def test_port_in_use_is_one_message(notes_run: Path, mtl: Mtl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        port = server_socket.getsockname()[1]
        result = mtl("serve", notes_run, "--port", port)
    assert result.returncode == 2
    assert result.stderr == f"error: --port {port}: in use on 127.0.0.1; choose another, or 0 for any free port\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "no.such.host.invalid"], "error: --host no.such.host.invalid: not an address: "),
        (["--max-texts", "2000"], "error: --max-texts 2000: more than --max-queue 1024; "),
    ],
)
def test_invalid_options_are_rejected(notes_run: Path, mtl: Mtl, arguments: list[str], message: str) -> None:
    result = mtl("serve", notes_run, "--port", "0", *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(message)


def test_path_without_servable_run_is_rejected(mtl: Mtl, tmp_path: Path, toy_experiment: Path) -> None:
    assert "no such run directory" in mtl("serve", tmp_path / "none", "--port", "0").stderr
    assert mtl("run", toy_experiment, "--out", tmp_path / "numbers").returncode == 0
    result = mtl("serve", tmp_path / "numbers", "--port", "0")
    assert result.returncode == 2
    assert result.stderr.startswith("error: this run cannot be served: the loader 'numbers' does not read texts")


def test_missing_extra_is_reported(notes_run: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    import mtl_core.plugins.optional_packages

    original_find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        mtl_core.plugins.optional_packages,
        "find_spec",
        lambda name: None if name == "uvicorn" else original_find_spec(name),
    )
    result = mtl("serve", notes_run)
    assert result.returncode == 2
    assert result.stderr == ('error: mtl serve needs uvicorn, which is not installed: pip install "mtl-core[serve]"\n')


def test_command_serves_until_it_receives_a_signal(notes_run: Path, blocked_network: Any) -> None:
    """Run the command in a subprocess on all interfaces; it prints its URL and a warning about authentication."""
    argv = [str(Path(sysconfig.get_path("scripts")) / "mtl"), "serve", str(notes_run), "--port", "0"]
    with (
        subprocess.Popen(
            [*argv, "--host", "0.0.0.0", "--threads", "1"],  # noqa: S104
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(notes_run.parent)},
        ) as process,
        ThreadPoolExecutor(1) as client,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("notes: http://0.0.0.0:")
        request = client.submit(post_text, int(line.split(":")[3].split()[0]), "hold")
        wait_until(blocked_network.blocked_file.exists)
        process.send_signal(signal.SIGINT)
        blocked_network.unblock()
        assert request.result().status_code == 200
        stderr = process.stderr.read()
        assert process.wait(20) == 0
    assert stderr.startswith("warning: 0.0.0.0 can be reached by other machines, and there is no authentication")
    assert stderr.endswith("stopped\n")
