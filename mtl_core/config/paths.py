"""Relative paths: in YAML they are resolved against the file's folder, in options against the working directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from mtl_core.config.yaml_file import Loc
from mtl_core.plugins.strict_model import build_error_details

InputFile = Annotated[Path, Field(strict=False), "input-file"]
"""A file that must exist. Relative paths start at the YAML file's folder; for `--set`, at the working folder."""
InputPath = Annotated[Path, Field(strict=False), "input-path"]
"""A file or folder that must exist."""


def _parse_cache(value: object) -> object:
    if not isinstance(value, bool | str | Path):
        raise ValueError("expected true, false, or a folder")
    return Path(value) if isinstance(value, str) else value


CacheDir = Annotated[Path | bool, BeforeValidator(_parse_cache)]
"""Whether to cache on disk, or the path of the cache."""

Model = TypeVar("Model", bound=BaseModel)


def resolve_paths(model: Model, get_base_dir: Callable[[Loc], Path], loc: Loc = ()) -> Model:
    """Make every path in a model absolute.

    Args:
        model: The model; it is not changed.
        get_base_dir: Returns the folder that relative paths at a location are resolved against.
        loc: The location of the model.

    Returns:
        A copy with absolute paths.

    Raises:
        ValidationError: If a path cannot exist.
    """
    updates = {}
    for name in type(model).model_fields:
        old = getattr(model, name)
        new = _resolve(old, get_base_dir, (*loc, name))
        if new is not old:
            updates[name] = new
    return model.model_copy(update=updates) if updates else model


def _resolve(value: Any, get_base_dir: Callable[[Loc], Path], loc: Loc) -> Any:
    if isinstance(value, Path):
        try:
            return Path.resolve(get_base_dir(loc) / value.expanduser())
        except (OSError, ValueError, RuntimeError) as error:
            details = build_error_details(loc, "custom", f"not a valid path: {error}", str(value))
            raise ValidationError.from_exception_data("ExperimentConfig", [details]) from error
    if isinstance(value, BaseModel):
        return resolve_paths(value, get_base_dir, loc)
    if isinstance(value, list):
        new = [_resolve(item, get_base_dir, (*loc, index)) for index, item in enumerate(value)]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    if isinstance(value, dict):
        resolved_items = {key: _resolve(item, get_base_dir, (*loc, key)) for key, item in value.items()}
        return resolved_items if any(resolved_items[key] is not item for key, item in value.items()) else value
    return value


def input_paths(model: BaseModel, loc: Loc = ()) -> list[tuple[Loc, Path, bool]]:
    """List the paths that must exist: location, path, and whether it must be a file."""
    paths: list[tuple[Loc, Path, bool]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        location = (*loc, name)
        marks = _collect_marks(field.annotation) | {mark for mark in field.metadata if isinstance(mark, str)}
        for item_location, item in _list_items(value, location):
            if isinstance(item, Path) and ("input-file" in marks or "input-path" in marks):
                paths.append((item_location, item, "input-file" in marks))
            elif isinstance(item, BaseModel):
                paths += input_paths(item, item_location)
    return paths


def _list_items(value: Any, location: Loc) -> list[tuple[Loc, Any]]:
    """List a field's value, or the members of a list or mapping, with their locations."""
    if isinstance(value, list):
        return [((*location, index), item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [((*location, key), item) for key, item in value.items()]
    return [(location, value)]


def _collect_marks(annotation: Any) -> set[str]:
    """Collect the strings in an annotation's metadata, also of `InputFile | None` and `list[InputFile]`."""
    marks = {mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, str)}
    return marks.union(*(_collect_marks(part) for part in get_args(annotation)))
