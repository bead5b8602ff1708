"""Specs that are wrong as YAML blocks, each in one way, by the check that is to notice it."""

from collections.abc import Callable
from typing import Any, Literal

import torch  # noqa: F401  what `light-import` is to notice
from pydantic import ConfigDict

from mtl_core.specs import Spec


class _TypeName(Spec):
    """Its type is any text."""

    type: str = "any text"


class _Docstring(Spec):
    type: Literal["no-docstring"] = "no-docstring"


class _Keys(Spec):
    """A key says nothing."""

    type: Literal["undocumented-key"] = "undocumented-key"
    size: int = 1


class _UnknownKeys(Spec):
    """Takes whatever comes."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["any-key"] = "any-key"

    @classmethod
    def _refuse_unknown_keys(cls, data: Any, handler: Any) -> Any:
        return handler(data)


class _Schema(Spec):
    """A key has no JSON Schema."""

    type: Literal["no-schema"] = "no-schema"
    function: Callable[[], int] = int
    """Something that no YAML holds."""


class _Defaults(Spec):
    """A default is none of the values that are allowed."""

    type: Literal["wrong-default"] = "wrong-default"
    size: int = "large"  # type: ignore[assignment]
    """How large."""


class _ReadAgain(Spec):
    """A key is written in another form than it is read."""

    type: Literal["not-read-again"] = "not-read-again"
    names: set[str] = {"a"}
    """Some names."""


WRONG = {
    "type-name": _TypeName,
    "docstring": _Docstring,
    "keys-documented": _Keys,
    "unknown-keys": _UnknownKeys,
    "schema": _Schema,
    "light-import": _Docstring,
    "defaults": _Defaults,
    "read-again": _ReadAgain,
}
