"""A server with a socket: timeouts, a full queue, disconnects, shutdown."""

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


def asked(port: int, text: str, **more: Any) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": text, **more}, timeout=20)


@contextmanager
def connected(port: int, head: str, body: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        yield link


def head_of(path: str, length: int) -> str:
    return f"POST {path} HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: {length}\n"


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def figures(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text


def test_what_takes_too_long_is_given_up_and_what_waits_too_much_is_refused(served: Served, held: Any) -> None:
    with (
        served(timeout=0.5, max_waiting=3, max_texts=3, batch_size=1) as (port, app),
        ThreadPoolExecutor(8) as clients,
    ):
        waiting = app.state.served.worker.waiting
        slow = clients.submit(asked, port, "hold")
        until(held.held.exists)
        queued = [clients.submit(asked, port, "Quiet .") for _ in range(3)]
        until(lambda: len(waiting) == 3)
        refused = asked(port, "Loud .")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["error"]["found"] == "3 texts in the queue"
        assert slow.result().status_code == 504
        assert slow.result().json()["error"]["expected"] == "a response within 0.5 s"
        assert [one.result().status_code for one in queued] == [504] * 3
        held.go_on()
        until(lambda: len(waiting) == 0)
        assert asked(port, "Quiet .").status_code == 200
        assert "mtl_texts_total 3.0" in figures(port), (
            "the warm-up text, the slow one and the last one; no text that timed out in the queue"
        )


def test_what_waits_together_is_read_together(served: Served, held: Any) -> None:
    with served(batch_size=16) as (port, app), ThreadPoolExecutor(16) as clients:
        slow = clients.submit(asked, port, "hold")
        until(held.held.exists)
        many = [clients.submit(asked, port, "Quiet .", id=place) for place in range(12)]
        until(lambda: len(app.state.served.worker.waiting) == 12)
        held.go_on()
        assert [one.result().json()["id"] for one in many] == [str(place) for place in range(12)]
        assert slow.result().status_code == 200
        said = figures(port)
        assert 'mtl_batch_texts_bucket{le="1.0"} 2.0' in said, "the warm-up text and the slow one"
        assert "mtl_batch_texts_count 3.0" in said, "and the twelve texts in one batch"


def test_a_client_that_goes_away_is_not_worked_for(served: Served, held: Any) -> None:
    with served(batch_size=1) as (port, app):
        waiting = app.state.served.worker.waiting
        body = json.dumps({"texts": ["hold"] * 50}).encode()
        with connected(port, head_of("/predict/batch", len(body)), body):
            until(lambda: len(waiting) == 49)
        until(lambda: 'mtl_requests_total{path="/predict/batch",status="499"} 1.0' in figures(port))
        held.go_on()
        assert asked(port, "Quiet .").status_code == 200
        assert "mtl_texts_total 3.0" in figures(port), "the warm-up text, the one in progress and the last one"


def test_a_client_that_goes_away_in_the_middle_of_its_body_harms_nobody(served: Served) -> None:
    with served() as (port, _):
        with connected(port, head_of("/predict", 1000), b'{"text": "half'):
            pass
        assert asked(port, "Quiet .").status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_refused_while_it_comes(served: Served, declared: bool) -> None:
    with served(max_bytes=10_000) as (port, _):
        head = head_of("/predict", 10**9)
        if not declared:
            head = head.replace(f"Content-Length: {10**9}", "Transfer-Encoding: chunked")
        chunk = b"x" * 4096 if declared else b"1000\r\n" + b"x" * 4096 + b"\r\n"
        with connected(port, head, chunk) as link:
            for _ in range(3):
                try:
                    link.sendall(chunk)
                except OSError:
                    break
            assert link.recv(1000).startswith(b"HTTP/1.1 413 ")
        assert asked(port, "Quiet .").status_code == 200


def test_a_connection_is_used_again_after_a_mistake(served: Served) -> None:
    with served() as (port, _), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for body in ({}, {"text": ""}, {"text": "explode"}, {"text": "Quiet ."}):
            said = client.post("/predict", json=body)
            assert "close" not in said.headers.get("Connection", "")
        assert said.status_code == 200


def test_what_was_accepted_is_answered_before_the_end(served: Served, held: Any) -> None:
    with served(batch_size=1) as (port, app), ThreadPoolExecutor(4) as clients:
        worker = app.state.served.worker
        asking = [clients.submit(asked, port, "hold") for _ in range(3)]
        until(lambda: held.held.exists() and len(worker.waiting) == 2)
        app.state.server.should_exit = True
        held.go_on()
        assert [one.result().status_code for one in asking] == [200, 200, 200]
        until(lambda: not worker.ready)


def test_a_plugin_adds_routes_that_ask_in_their_own_time(served: Served) -> None:
    with served(batch_size=4) as (port, _):
        url = f"http://127.0.0.1:{port}"
        places = httpx.get(f"{url}/demo/places", params={"texts": 11}, timeout=20).json()
        assert [one.split()[0] for one in places] == [str(number) for number in range(11)]
        alone = asked(port, "hotel number 7").json()["tasks"]["place"]["label"]
        assert places[7] == f"7 {alone}"
        assert "/demo/places" in httpx.get(f"{url}/openapi.json").json()["paths"]
        assert '<a href="/demo">Demo</a>: Places, by number.' in httpx.get(url).text
        assert "<h1>Demo</h1>" in httpx.get(f"{url}/demo").text
        assert httpx.get(f"{url}/nothing").status_code == 404


# ── the command `mtl serve` ──


def test_a_port_in_use_is_one_message(notes_run: Path, mtl: Mtl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = mtl("serve", notes_run, "--port", port)
    assert done.returncode == 2
    assert done.stderr == f"error: --port {port}: in use on 127.0.0.1; choose another, or 0 for any free port\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "no.such.host.invalid"], "error: --host no.such.host.invalid: not an address: "),
        (["--max-texts", "2000"], "error: --max-texts 2000: more than --max-waiting 1024; "),
    ],
)
def test_options_that_cannot_be(notes_run: Path, mtl: Mtl, words: list[str], message: str) -> None:
    done = mtl("serve", notes_run, "--port", "0", *words)
    assert done.returncode == 2
    assert done.stderr.startswith(message)


def test_what_is_no_run_is_not_served(mtl: Mtl, tmp_path: Path, toy_experiment: Path) -> None:
    assert "no such run directory" in mtl("serve", tmp_path / "none", "--port", "0").stderr
    assert mtl("run", toy_experiment, "--out", tmp_path / "numbers").returncode == 0
    done = mtl("serve", tmp_path / "numbers", "--port", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("error: this run cannot be served: the loader 'numbers' does not read texts")


def test_the_extra_is_named_if_it_is_missing(notes_run: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    import mtl_core.packages

    found = mtl_core.packages.find_spec
    monkeypatch.setattr(mtl_core.packages, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    done = mtl("serve", notes_run)
    assert done.returncode == 2
    assert done.stderr == (
        'error: mtl serve needs uvicorn, which is not installed: pip install "mtl-core[serve]"\n'
    )


def test_the_command_serves_until_it_is_told_to_stop(notes_run: Path, held: Any) -> None:
    """Run the command in a subprocess on all interfaces; it prints its URL and a warning about authentication."""
    words = [str(Path(sysconfig.get_path("scripts")) / "mtl"), "serve", str(notes_run), "--port", "0"]
    with (
        subprocess.Popen(
            [*words, "--host", "0.0.0.0", "--threads", "1"],  # noqa: S104
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
        asking = client.submit(asked, int(line.split(":")[3].split()[0]), "hold")
        until(held.held.exists)
        process.send_signal(signal.SIGINT)
        held.go_on()
        assert asking.result().status_code == 200
        said = process.stderr.read()
        assert process.wait(20) == 0
    assert said.startswith("warning: 0.0.0.0 can be reached by other machines, and there is no authentication")
    assert said.endswith("stopped\n")
