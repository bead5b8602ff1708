"""The server of a run directory: application, socket and event loop."""

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
"""Seconds beyond the request timeout that open requests have when the server stops."""
BACKLOG = 512
SWITCH = 0.0005
"""The thread switch interval of the interpreter, in seconds."""


def load_app(
    path: Path,
    limits: Limits,
    threads: int | None = None,
    precision: Precision = "fp32",
    plugins: Sequence[str] = (),
) -> FastAPI:
    """Load a run, start its prediction thread, and build the application.

    Args:
        path: The run directory.
        limits: The limits of requests.
        threads: The number of torch threads; the default of torch if None.
        precision: The precision of the network.
        plugins: Additional plugins to load.

    Returns:
        The application; its `state.served` is the `Served`. The thread ends with the lifespan of the application.

    Raises:
        MtlError: If the run or the routes of a plugin cannot be loaded, or the run does not read texts.
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
    """Predict once, which loads all lazily loaded parts, and fails if the run reads no texts."""
    texts = sample_texts(served.path, served.saved)
    ticket = Ticket([Question("1", texts[0], "this run cannot be served")], True, None)
    served.worker.take(ticket)
    said = ticket.future.result()[0]
    if isinstance(said, Exception):
        raise said
    return Samples(texts, {"text": texts[0], "attention": True}, said.record(only_found=True))


def make_server(app: FastAPI) -> uvicorn.Server:
    """Build the HTTP server of an application; `run(sockets=[listening(…)])` serves until `should_exit`."""
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
    """Serve until the process receives SIGINT or SIGTERM; accepted requests are completed first.

    Args:
        app: The result of `load_app`.
        place: The result of `listening`.
        ready: Called with the URL of the server when it accepts connections.
    """
    place.listen(BACKLOG)  # from now on, connections wait instead of being refused
    ready(url(place))
    # The prediction thread releases the GIL in each operation, and reacquires it after the switch interval if the
    # event loop is busy with requests. The default interval, 5 ms, is longer than most operations.
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        make_server(app).run(sockets=[place])
    finally:
        sys.setswitchinterval(before)


def url(place: socket.socket) -> str:
    """Return the URL of a server that listens on a socket."""
    host, port = place.getsockname()[:2]
    return f"http://[{host}]:{port}" if place.family == socket.AF_INET6 else f"http://{host}:{port}"


def listening(host: str, port: int) -> socket.socket:
    """Bind a socket. This happens before the run is loaded, so that a port in use is reported at once.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 for any free port.

    Raises:
        MtlError: If the socket cannot be bound.
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
            raise MtlError(f"--port {port}: in use on {host}; choose another, or 0 for any free port") from error
        if error.errno == errno.EACCES:
            raise MtlError(f"--port {port}: not allowed; ports below 1024 are reserved for the system") from error
        raise MtlError(f"--host {host}: cannot listen there: {error.strerror}") from error
    return place
