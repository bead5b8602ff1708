"""`mtl serve`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from mtl_core.errors import MtlError
from mtl_core.packages import what_is_missing
from mtl_core.serving.limits import Limits

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision

NEEDS = dict.fromkeys(("fastapi", "uvicorn", "python_multipart", "prometheus_client"), '"mtl-core[serve]"')


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
    missing = what_is_missing(NEEDS)
    if missing:
        raise MtlError(f"mtl serve {missing}")
    from mtl_core.runs.directory import RunDirectory

    run = RunDirectory.open(path)
    run.require(run.weights)
    from mtl_core.runs.precision import fastest_precision
    from mtl_core.serving.run import listening, load_app, serve

    with listening(host, port) as place:
        bits = fastest_precision() if precision == "auto" else precision
        app = load_app(path, limits, threads, bits, plugins)
        saved = app.state.served.saved
        if not _is_loopback(place.getsockname()[0]):
            typer.echo(
                f"warning: {host} can be reached by other machines, and there is no authentication. "
                "Put an authenticating proxy in front of it.",
                err=True,
            )

        def ready(url: str) -> None:
            typer.echo(f"{saved.config.name}: {url} (web page; {url}/docs: HTTP API), {bits}; Ctrl-C stops it")

        # Whether KeyboardInterrupt is raised again after the shutdown depends on the event loop.
        with suppress(KeyboardInterrupt):
            serve(app, place, ready)
        typer.echo("stopped", err=True)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
