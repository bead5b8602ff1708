"""Blocks of an experiment from parts that Python hands in: names, blocks, specs, modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import nn

from mtl_core.errors import MtlError, add_article
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.python_parts import get_part_name
from mtl_core.plugins.spec import Spec

Part: TypeAlias = str | Mapping[str, Any] | Spec | type[Spec]
"""A name, a block as in YAML, a spec, or its class."""
ModulePart: TypeAlias = Part | nn.Module | type[nn.Module] | Callable[..., nn.Module]
"""A `Part`, or a torch module, its class, or a function that builds it."""

MODULE_POINTS = {"backbones", "heads"}
"""The extension points whose parts can be plain torch modules."""


@dataclass(frozen=True)
class Block:
    """A block of an experiment.

    Attributes:
        value: The value as in YAML: a name or a block.
        parts: The spec classes and modules that it uses.
    """

    value: Any
    parts: Sequence[object] = ()


def build_block(part: object, key: str, extension_point: str) -> Block:
    """Convert a part into a block.

    Args:
        part: A name, a block, a spec, its class; for backbones and heads also a module, its class, or a function.
        key: The argument, for messages.
        extension_point: The extension point, such as `backbones`.

    Raises:
        MtlError: If it is none of these, or is a spec of another extension point.
    """
    noun, base = EXTENSION_POINTS[extension_point].noun, EXTENSION_POINTS[extension_point].base
    if isinstance(part, str):
        return Block(part)
    if isinstance(part, Mapping):
        return Block(dict(part))
    if isinstance(part, type) and issubclass(part, Spec):
        part = _instantiate(part, key)
    if isinstance(part, Spec):
        if not isinstance(part, base):
            raise MtlError(f"{key}: expected {add_article(noun)}, found the spec {type(part).__name__}")
        return Block(part.model_dump(mode="json"), [type(part)])
    is_module = isinstance(part, nn.Module) or callable(part)
    if is_module and extension_point in MODULE_POINTS:
        return Block({"type": "module", "name": get_part_name(part), "module": part}, [part])
    alternatives = " or a torch module" if extension_point in MODULE_POINTS else ""
    raise MtlError(
        f"{key}: expected {add_article(noun)}: a name such as 'NAME', a block such as {{'type': 'NAME'}}, a spec"
        f"{alternatives}; found {_describe(part)}"
    )


def find_used_parts(value: object, parts: Sequence[object]) -> list[object]:
    """Return the parts that an experiment uses: others were replaced.

    Args:
        value: The experiment as read from YAML; blocks of modules contain the modules.
        parts: Spec classes and modules.
    """
    types: set[str] = set()
    modules: list[object] = []
    _collect(value, types, modules)
    return [
        part
        for part in parts
        if (isinstance(part, type) and issubclass(part, Spec) and part.type_name() in types)
        or any(part is module for module in modules)
    ]


def _collect(value: object, types: set[str], modules: list[object]) -> None:
    if isinstance(value, Mapping):
        types.add(str(value.get("type")))
        if value.get("type") == "module":
            modules.append(value.get("module"))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _collect(item, types, modules)
    elif isinstance(value, str):  # the short form of a block
        types.add(value)


def _instantiate(spec: type[Spec], key: str) -> Spec:
    required = [name for name, field in spec.model_fields.items() if field.is_required()]
    if required:
        raise MtlError(f"{key}: {spec.__name__} has required fields; hand in {spec.__name__}({required[0]}=…)")
    return spec()  # type: ignore[call-arg]  # `type` has a default in every subclass


def _describe(part: object) -> str:
    return f"{part!r}" if isinstance(part, int | float | bool | None) else f"a {type(part).__name__}"
