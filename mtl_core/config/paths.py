"""Relative paths: in YAML they are resolved against the file's folder, in options against the working directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from mtl_core.config.yaml_file import Loc

Model = TypeVar("Model", bound=BaseModel)


def resolve_paths(model: Model, base_of: Callable[[Loc], Path], loc: Loc = ()) -> Model:
    """Make every path in a model absolute.

    Args:
        model: The model; it is not changed.
        base_of: Returns the folder that relative paths at a location are resolved against.
        loc: The location of the model.

    Returns:
        A copy with absolute paths.
    """
    changed = {}
    for name in type(model).model_fields:
        old = getattr(model, name)
        new = _resolve(old, base_of, (*loc, name))
        if new is not old:
            changed[name] = new
    return model.model_copy(update=changed) if changed else model


def _resolve(value: Any, base_of: Callable[[Loc], Path], loc: Loc) -> Any:
    if isinstance(value, Path):
        return Path.resolve(base_of(loc) / value.expanduser())
    if isinstance(value, BaseModel):
        return resolve_paths(value, base_of, loc)
    if isinstance(value, list):
        new = [_resolve(item, base_of, (*loc, index)) for index, item in enumerate(value)]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    if isinstance(value, dict):
        table = {key: _resolve(item, base_of, (*loc, key)) for key, item in value.items()}
        return table if any(table[key] is not item for key, item in value.items()) else value
    return value


def input_paths(model: BaseModel, loc: Loc = ()) -> list[tuple[Loc, Path, bool]]:
    """List the paths that must exist: location, path, and whether it must be a file."""
    found: list[tuple[Loc, Path, bool]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        place = (*loc, name)
        marks = _marks(field.annotation) | {mark for mark in field.metadata if isinstance(mark, str)}
        for here, item in _entries(value, place):
            if isinstance(item, Path) and ("input-file" in marks or "input-path" in marks):
                found.append((here, item, "input-file" in marks))
            elif isinstance(item, BaseModel):
                found += input_paths(item, here)
    return found


def _entries(value: Any, place: Loc) -> list[tuple[Loc, Any]]:
    """List a field's value, or the members of a list or mapping, with their locations."""
    if isinstance(value, list):
        return [((*place, index), item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [((*place, key), item) for key, item in value.items()]
    return [(place, value)]


def _marks(annotation: Any) -> set[str]:
    """Collect the strings in an annotation's metadata, also of `InputFile | None` and `list[InputFile]`."""
    found = {mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, str)}
    return found.union(*(_marks(part) for part in get_args(annotation)))
