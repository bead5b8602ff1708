"""`mtl serve`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from mtl_core.errors import MtlError
from mtl_core.plugins.optional_packages import describe_missing_packages
from mtl_core.serving.limits import Limits

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision

REQUIRED_PACKAGES = dict.fromkeys(("fastapi", "uvicorn", "python_multipart", "prometheus_client"), '"mtl-core[serve]"')


def serve_command(
    path: Path,
    host: str,
    port: int,
    limits: Limits,
    threads: int | None,
    precision: Precision | Literal["auto"],
    plugins: Sequence[str],
) -> None:
    """Serve a run until Ctrl-C.

    Raises:
        MtlError: If a package is missing, the run cannot be served, or the port is not available.
    """
    missing_message = describe_missing_packages(REQUIRED_PACKAGES)
    if missing_message:
        raise MtlError(f"mtl serve {missing_message}")
    from mtl_core.artifacts.network_files import open_network_run

    run = open_network_run(path)
    run.require_file(run.weights)
    from mtl_core.runs.precision import select_precision
    from mtl_core.serving.server import bind_socket, load_app, serve

    with bind_socket(host, port) as listening_socket:
        resolved_precision = select_precision() if precision == "auto" else precision
        app = load_app(path, limits, threads, resolved_precision, plugins)
        saved_run = app.state.served.saved
        if not _is_loopback(listening_socket.getsockname()[0]):
            typer.echo(
                f"warning: {host} can be reached by other machines, and there is no authentication. "
                "Put an authenticating proxy in front of it.",
                err=True,
            )

        def on_ready(url: str) -> None:
            typer.echo(
                f"{saved_run.config.name}: {url} (web page; {url}/docs: HTTP API), {resolved_precision}; "
                "Ctrl-C stops it"
            )

        # Whether KeyboardInterrupt is raised again after the shutdown depends on the event loop.
        with suppress(KeyboardInterrupt):
            serve(app, listening_socket, on_ready)
        typer.echo("stopped", err=True)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
