"""From a run directory to a server that listens."""

import errno
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from mtl_core.errors import MtlError
from mtl_core.model_card.read import read_card
from mtl_core.runs.answers import Answer
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.precision import Precision, in_precision
from mtl_core.runs.predict import Question, answers
from mtl_core.runs.saved import load_run
from mtl_core.serving.app import make_app
from mtl_core.serving.frame import Frame
from mtl_core.serving.limits import Limits
from mtl_core.serving.meters import Meters
from mtl_core.serving.samples import Samples, sample_texts
from mtl_core.serving.served import Served
from mtl_core.serving.tickets import Ticket
from mtl_core.serving.waiting import Waiting
from mtl_core.serving.worker import Worker

PATIENCE = 5
"""Seconds beyond the timeout that open requests have to end when the server stops."""
BACKLOG = 512
SWITCH = 0.0005
"""Seconds after which one thread lets the other have its turn."""


def load_app(
    path: Path,
    limits: Limits,
    threads: int | None = None,
    precision: Precision = "fp32",
    plugins: Sequence[str] = (),
) -> FastAPI:
    """Load a run, start the thread that answers for it, and make the application.

    Args:
        path: The run directory.
        limits: What is taken.
        threads: Threads that torch computes in; as many as torch likes if None.
        precision: In how many bits the network computes.
        plugins: Further plugins to load.

    Returns:
        The application; its `state.served` is the `Served`. The thread ends with the application's lifespan.

    Raises:
        MtlError: If the run cannot be loaded or does not read texts, or a plugin's routes cannot be.
    """
    limits.check()
    services = RunDirectory.open(path).experiment(plugins).registry.services()
    saved = in_precision(load_run(path, plugins), precision)
    card = read_card(path)

    def ask(questions: Sequence[Question], attention: bool, data_set: str | None) -> Sequence[Answer]:
        return list(answers(saved, questions, attention, data_set))

    waiting = Waiting(limits.max_waiting, limits.batch_size, limits.batch_wait)
    meters = Meters(waiting.__len__)
    frame = Frame(saved.config.name, card.files.data.notice)
    served = Served(path, saved, limits, Worker(ask, waiting, threads, meters.batch), frame)
    served.worker.start()
    try:
        app = make_app(served, card, meters, _tried(served), services)
    except BaseException:
        served.worker.stop()
        raise
    app.state.served = served
    return app


def _tried(served: Served) -> Samples:
    """Ask once: what is loaded late is there then, and a run that reads no texts is found out."""
    texts = sample_texts(served.path, served.saved)
    ticket = Ticket([Question("1", texts[0], "this run cannot be served")], True, None)
    served.worker.take(ticket)
    said = ticket.future.result()[0]
    if isinstance(said, Exception):
        raise said
    return Samples(texts, {"text": texts[0], "attention": True}, said.record(only_found=True))


def make_server(app: FastAPI) -> uvicorn.Server:
    """Make the HTTP server of an application; `run(sockets=[listening(…)])` serves until `should_exit` is true."""
    limits: Limits = app.state.served.limits
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=round(limits.timeout + PATIENCE),
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, place: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM); what was accepted is answered before.

    Args:
        app: What `load_app` gave.
        place: What `listening` gave.
        ready: Is told the server's URL when it can be asked.
    """
    place.listen(BACKLOG)  # who asks from now on waits for the answer and is not refused
    ready(url(place))
    # The network's thread lets go of the interpreter in each operation, and gets it back after an interval if the
    # other one is busy with requests. Python's own, 5 ms, is longer than most operations.
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        make_server(app).run(sockets=[place])
    finally:
        sys.setswitchinterval(before)


def url(place: socket.socket) -> str:
    """Where a server can be reached that listens there."""
    host, port = place.getsockname()[:2]
    return f"http://[{host}]:{port}" if place.family == socket.AF_INET6 else f"http://{host}:{port}"


def listening(host: str, port: int) -> socket.socket:
    """Take a port; before anything is loaded, so that one in use is known at once.

    Args:
        host: A name or an address of this machine.
        port: 0 for any that is free.

    Raises:
        MtlError: If it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        place = socket.socket(family, kind, protocol)
    except OSError as error:
        raise MtlError(f"--host {host}: not an address: {error.strerror or error}") from error
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except OSError as error:
        place.close()
        if error.errno == errno.EADDRINUSE:
            raise MtlError(f"--port {port}: in use on {host}; choose another, or 0 for any that is free") from error
        if error.errno == errno.EACCES:
            raise MtlError(f"--port {port}: not allowed; ports below 1024 are the system's") from error
        raise MtlError(f"--host {host}: cannot listen there: {error.strerror}") from error
    return place
