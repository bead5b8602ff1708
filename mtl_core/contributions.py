"""What plugins add besides parts of experiments: commands, and pages of the server."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mtl_core.errors import MtlError


@dataclass(frozen=True)
class Commands:
    """A group of commands, `mtl NAME …`.

    Attributes:
        name: What stands behind `mtl`.
        help: What the group does, in a line; shown without importing `app`.
        app: Where its `typer.Typer` is: `module:attribute`. It is imported when one of the commands is asked for.
    """

    name: str
    help: str
    app: str

    def load(self) -> Any:
        """Import the Typer app.

        Raises:
            MtlError: If it is not there.
        """
        return _attribute(self.app, f"the commands `mtl {self.name}`")


@dataclass(frozen=True)
class Service:
    """What `mtl serve` offers for some runs besides predictions, under `/NAME`.

    Attributes:
        name: The path below which its routes lie.
        help: What it does, in a line.
        router: Where the function is that makes its routes: `module:attribute`. It is given a
            `mtl_core.serving.served.Served` and gives a `fastapi.APIRouter`, or None for a run that it is not for.
    """

    name: str
    help: str
    router: str

    def load(self) -> Any:
        """Import the function.

        Raises:
            MtlError: If it is not there.
        """
        return _attribute(self.router, f"the service '{self.name}'")


def _attribute(target: str, what: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise MtlError(f"{what} cannot be loaded from '{target}': {type(error).__name__}: {error}") from error
