"""Specs that are invalid as YAML blocks, each in one way, by the name of the check that must fail."""

from collections.abc import Callable
from typing import Any, Literal

import torch  # noqa: F401  makes `light-import` fail
from pydantic import ConfigDict

from mtl_core.plugins.specs import Spec


class _TypeName(Spec):
    """Its type is any string."""

    type: str = "any text"


class _Docstring(Spec):
    type: Literal["no-docstring"] = "no-docstring"


class _Keys(Spec):
    """A key has no docstring."""

    type: Literal["undocumented-key"] = "undocumented-key"
    size: int = 1


class _UnknownKeys(Spec):
    """Accepts unknown keys."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["any-key"] = "any-key"

    @classmethod
    def _refuse_unknown_keys(cls, data: Any, handler: Any) -> Any:  # type: ignore[override]
        return handler(data)


class _Schema(Spec):
    """A key has no JSON Schema."""

    type: Literal["no-schema"] = "no-schema"
    function: Callable[[], int] = int
    """A value that YAML cannot represent."""


class _Defaults(Spec):
    """A default is not an allowed value."""

    type: Literal["wrong-default"] = "wrong-default"
    size: int = "large"  # type: ignore[assignment]
    """Size."""


class _ReadAgain(Spec):
    """A key is written in a form that cannot be read."""

    type: Literal["not-read-again"] = "not-read-again"
    names: set[str] = {"a"}
    """Some names."""


WRONG: dict[str, Any] = {
    "type-name": _TypeName,
    "docstring": _Docstring,
    "keys-documented": _Keys,
    "unknown-keys": _UnknownKeys,
    "schema": _Schema,
    "light-import": _Docstring,
    "defaults": _Defaults,
    "round-trip": _ReadAgain,
}
