"""A small run with tasks of several kinds, and in-process servers for it, with and without a socket."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import mtl_text

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi.testclient import TestClient

from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment
from mtl_core.serving.limits import Limits
from mtl_core.serving.server import bind_socket, build_server, load_app

NOTES = Path(mtl_text.__file__).parent / "sample" / "notes-train.jsonl"
FAULTY_PLUGIN = '''\
"""An encoder with fault injection: some words make it fail, raise an MtlError, or block while a file exists."""

import time
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from mtl_core import MtlError, Service, hookimpl
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_text.word_embedding import Embedding
from mtl_text.word_embedding_encoder import EmbeddingEncoder


BLOCK_FILE = Path(__file__).with_name("hold")
BLOCKED_FILE = Path(__file__).with_name("held")


class FaultyEncoder(EmbeddingEncoder):
    def parse(self, inputs):
        for value in inputs:
            if "explode" in str(value):
                raise RuntimeError("it exploded")
            if "refuse" in str(value):
                raise MtlError("it does not read this")
            if "hold" in str(value):
                BLOCKED_FILE.touch()
                while BLOCK_FILE.exists():
                    time.sleep(0.005)
        return super().parse(inputs)


class FaultyEmbedding(Embedding):
    type: Literal["faulty"] = "faulty"

    def build(self):
        plain = super().build()
        plain.__class__ = FaultyEncoder
        return plain


def demo(served_run):
    router = APIRouter()

    @router.get("", include_in_schema=False)
    async def page() -> Response:
        return served_run.page_layout.render_page("Demo", Markup("<h1>Demo</h1>"))

    @router.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @router.get("/places")
    def places(texts: int) -> list[str]:
        inputs = (PredictionInput(str(n), f"hotel number {n}", "query") for n in range(texts))
        return [f"{item.id} {item.tasks['place'].label}" for item in served_run.predict_stream(inputs)]

    return router


@hookimpl
def mtl_encoders():
    return [FaultyEmbedding]


@hookimpl
def mtl_services():
    return [
        Service("demo", "Places, by number.", "faulty_parts:demo"),
        Service("nothing", "Not for this run.", "faulty_parts:nothing"),
    ]


def nothing(served_run):
    return None
'''
EXPERIMENT: dict[str, Any] = {
    "name": "notes",
    "data": {"type": "table", "train": "notes.jsonl", "words": "words", "disclaimer": "a <small> sample"},
    "split": {"type": "random", "validation": 0.2},
    "encoder": {"type": "faulty", "dimensions": 8},
    "backbone": {"type": "lstm", "hidden_dim": 4, "output": "tokens"},
    "tasks": [
        {"name": "place", "kind": "classification", "head": "linear"},
        {"name": "stars", "kind": "ordinal", "head": "linear"},
        {"name": "tags", "kind": "multi-label", "head": "linear"},
        {"name": "nights", "kind": "regression", "head": {"type": "attention", "key_dim": 4, "hidden_dim": 4}},
        {"name": "pos", "kind": "token-tagging", "head": "token-linear"},
    ],
    "optimizer": {"type": "adam", "lr": 0.01},
    "training": {"epochs": 1, "batch_size": 16, "refit": False},
    "plugins": ["./faulty_parts.py"],
}


@pytest.fixture(scope="session")
def notes_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short training run with tasks of five kinds and the encoder above."""
    folder = tmp_path_factory.mktemp("serving")
    lines = NOTES.read_text(encoding="utf-8").splitlines()[:60]
    (folder / "notes.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "faulty_parts.py").write_text(FAULTY_PLUGIN, encoding="utf-8")
    (folder / "notes.yaml").write_text(yaml.safe_dump(EXPERIMENT), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        run_experiment(load_experiment(folder / "notes.yaml").config, folder / "run")
        yield folder / "run"


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts of several lengths."""
    notes = [json.loads(line)["words"] for line in NOTES.read_text(encoding="utf-8").splitlines()[60:80]]
    return [" ".join(words) for words in notes] + ["Quiet .", "Clean rooms . " * 30]


@pytest.fixture(scope="module")
def client(notes_run: Path) -> Iterator[TestClient]:
    """A client of the application without a socket."""
    with TestClient(
        load_app(notes_run, Limits(max_text_length=4000, max_bytes=50_000, max_upload=80_000, max_texts=50))
    ) as test_client:
        yield test_client


@pytest.fixture
def blocked_network(notes_run: Path) -> Iterator[Any]:
    """Block the network at the word "hold" until the test releases it."""
    network = BlockedNetwork(notes_run.with_name("hold"), notes_run.with_name("held"))
    network.block_file.touch()
    yield network
    network.unblock()
    network.blocked_file.unlink(missing_ok=True)


@dataclass(frozen=True)
class BlockedNetwork:
    """The file that blocks the network, and the file that shows that it is blocked."""

    block_file: Path
    blocked_file: Path

    def unblock(self) -> None:
        self.block_file.unlink(missing_ok=True)


Served = Callable[..., contextlib.AbstractContextManager[tuple[int, Any]]]


@pytest.fixture
def served(notes_run: Path) -> Served:
    """Run a server of `notes_run` with a socket: `with served(timeout=1.0) as (port, app)`; it stops on exit."""

    @contextlib.contextmanager
    def run_server(path: Path = notes_run, **limits: Any) -> Iterator[tuple[int, Any]]:
        app = load_app(path, Limits(**limits))
        with bind_socket("127.0.0.1", 0) as server_socket:
            server_socket.listen(100)
            server = build_server(app)
            thread = threading.Thread(target=lambda: server.run(sockets=[server_socket]))
            thread.start()
            app.state.server = server
            try:
                yield server_socket.getsockname()[1], app
            finally:
                server.should_exit = True
                thread.join(20)
        assert not thread.is_alive()

    return run_server
