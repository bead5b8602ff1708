"""The server of a run directory: application, socket and event loop."""

import errno
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.errors import MtlError
from mtl_core.reporting.model_card.read_card import read_card
from mtl_core.runs.precision import Precision, convert_precision
from mtl_core.runs.predict_inputs import iterate_predictions
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.runs.saved_run import load_run
from mtl_core.serving.app import build_app
from mtl_core.serving.limits import Limits
from mtl_core.serving.monitoring import ServerMetrics
from mtl_core.serving.page_layout import PageLayout
from mtl_core.serving.request_queue import QueuedRequest, RequestQueue
from mtl_core.serving.sample_texts import Samples, load_examples
from mtl_core.serving.served_run import ServedRun
from mtl_core.serving.worker import Worker

SHUTDOWN_GRACE_S = 5
"""Seconds beyond the request timeout that open requests have when the server stops."""
BACKLOG = 512
SWITCH_INTERVAL_S = 0.0005
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
        The application; its `state.served` is the `ServedRun`. The thread ends with the application's lifespan.

    Raises:
        MtlError: If the run or the routes of a plugin cannot be loaded, or the run reads neither texts nor rows.
    """
    limits.validate()
    services = RunDirectory.open(path).load_experiment(plugins).registry.collect_services()
    saved = convert_precision(load_run(path, plugins), precision)
    card = read_card(path)

    def predict(inputs: Sequence[PredictionInput], attention: bool, data_set: str | None) -> Sequence[Prediction]:
        return list(iterate_predictions(saved, inputs, attention, data_set))

    queue = RequestQueue(limits.max_queue, limits.batch_size, limits.max_batch_delay)
    server_metrics = ServerMetrics(queue.__len__)
    page_layout = PageLayout(saved.config.name, card.files.data.disclaimer)
    served_run = ServedRun(
        path, saved, limits, Worker(predict, queue, threads, server_metrics.record_batch), page_layout
    )
    served_run.worker.start()
    try:
        app = build_app(served_run, card, server_metrics, _predict_sample(served_run), services)
    except BaseException:
        served_run.worker.stop()
        raise
    app.state.served = served_run
    return app


def _predict_sample(served_run: ServedRun) -> Samples:
    """Predict once, which loads all lazily loaded parts, and fails if the run reads neither texts nor rows."""
    examples = load_examples(served_run.path, served_run.saved)
    text, row = (examples[0], None) if isinstance(examples[0], str) else ("", examples[0])
    request = QueuedRequest([PredictionInput("1", text, "this run cannot be served", row)], True, None)
    served_run.worker.submit(request)
    result = request.future.result()[0]
    if isinstance(result, Exception):
        raise result
    body: dict[str, Any] = {"text": text} if row is None else {"inputs": row}
    return Samples(examples, {**body, "attention": True}, result.to_record(only_present=True))


def build_server(app: FastAPI) -> uvicorn.Server:
    """Build the HTTP server of an application; `run(sockets=[bind_socket(…)])` serves until `should_exit`."""
    limits: Limits = app.state.served.limits
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=round(limits.timeout + SHUTDOWN_GRACE_S),
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, server_socket: socket.socket, on_ready: Callable[[str], None]) -> None:
    """Serve until the process receives SIGINT or SIGTERM; accepted requests are completed first.

    Args:
        app: The result of `load_app`.
        server_socket: The result of `bind_socket`.
        on_ready: Called with the URL of the server when it accepts connections.
    """
    server_socket.listen(BACKLOG)  # from now on, connections wait instead of being refused
    on_ready(format_url(server_socket))
    # The prediction thread releases the GIL in each operation, and reacquires it after the switch interval if the
    # event loop is busy with requests. The default interval, 5 ms, is longer than most operations.
    previous_interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        build_server(app).run(sockets=[server_socket])
    finally:
        sys.setswitchinterval(previous_interval)


def format_url(server_socket: socket.socket) -> str:
    """Return the URL of a server that listens on a socket."""
    host, port = server_socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if server_socket.family == socket.AF_INET6 else f"http://{host}:{port}"


def bind_socket(host: str, port: int) -> socket.socket:
    """Bind a socket. This happens before the run is loaded, so that a port in use is reported at once.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 for any free port.

    Raises:
        MtlError: If the socket cannot be bound.
    """
    try:
        family, socket_type, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server_socket = socket.socket(family, socket_type, protocol)
    except OSError as error:
        raise MtlError(f"--host {host}: not an address: {error.strerror or error}") from error
    try:
        server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server_socket.bind(address)
    except OSError as error:
        server_socket.close()
        if error.errno == errno.EADDRINUSE:
            raise MtlError(f"--port {port}: in use on {host}; choose another, or 0 for any free port") from error
        if error.errno == errno.EACCES:
            raise MtlError(f"--port {port}: not allowed; ports below 1024 are reserved for the system") from error
        raise MtlError(f"--host {host}: cannot listen there: {error.strerror}") from error
    return server_socket
