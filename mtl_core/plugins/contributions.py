"""What plugins add besides specs: groups of commands, and routes of the server."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mtl_core.errors import MtlError


@dataclass(frozen=True)
class Commands:
    """A group of commands, `mtl NAME …`.

    Attributes:
        name: The group's name on the command line, after `mtl`.
        help: One line that describes the group; shown without importing `app`.
        app: The location of its `typer.Typer`: `module:attribute`. It is imported when a command is called.
    """

    name: str
    help: str
    app: str

    def load(self) -> Any:
        """Import the Typer app.

        Raises:
            MtlError: If it cannot be imported.
        """
        return _import_attribute(self.app, f"the commands `mtl {self.name}`")


@dataclass(frozen=True)
class Service:
    """Routes that `mtl serve` adds for some runs besides predictions, under `/NAME`.

    Attributes:
        name: The prefix of the routes' paths.
        help: One line that describes the service.
        router: The location of the function that builds the routes: `module:attribute`. The function receives a
            `ServedRun` and returns a `fastapi.APIRouter`, or None if it does not fit the run.
    """

    name: str
    help: str
    router: str

    def load(self) -> Any:
        """Import the function that builds the routes.

        Raises:
            MtlError: If it cannot be imported.
        """
        return _import_attribute(self.router, f"the service '{self.name}'")


def _import_attribute(target: str, description: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise MtlError(f"{description} cannot be loaded from '{target}': {type(error).__name__}: {error}") from error
