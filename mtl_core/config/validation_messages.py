"""Formatting of pydantic's validation errors with file, line and key."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mtl_core.config.key_hints import add_key_hint
from mtl_core.config.yaml_file import Loc, YamlFile


def format_validation_error(error: ValidationError, source: YamlFile, override_locations: Collection[Loc]) -> str:
    """Format validation errors, one per line: location, found value, expected value.

    Args:
        error: The error that pydantic raised.
        source: The file, for line numbers.
        override_locations: The locations that were set on the command line.
    """
    return "\n".join(
        f"{_format_location(line.loc, source, override_locations)}: {line.message}"
        for line in list_errors(error, source.path.name)
    )


def _format_location(loc: Loc, source: YamlFile, override_locations: Collection[Loc]) -> str:
    # Values from `--set` are not in the file: neither keys below such a location, nor new blocks that contain it.
    is_new = loc and loc not in source.lines
    override_location = next(
        (override for override in override_locations if is_new and override[: len(loc)] == loc), None
    )
    if override_location or any(loc[: len(override)] == override for override in override_locations):
        return f"--set {format_key(override_location or loc)}"
    line_number = source.find_line(loc)
    return f"{source.path}{f':{line_number}' if line_number else ''}: {format_key(loc)}"


def format_key(loc: Loc) -> str:
    """Return the dotted key of a location."""
    return ".".join(map(str, loc)) or "experiment"


@dataclass(frozen=True)
class ErrorLine:
    """One of the errors of a `ValidationError`.

    Attributes:
        loc: The location.
        key: Its dotted key.
        type: The type of the error, as pydantic names it.
        message: The found and the expected value.
    """

    loc: Loc
    key: str
    type: str
    message: str


def list_errors(error: ValidationError, file: str) -> Iterator[ErrorLine]:
    """Yield the errors of a `ValidationError`.

    Args:
        error: The error that pydantic raised.
        file: The name of the file that contains the values.
    """
    for line in error.errors(include_url=False):
        key = format_key(line["loc"])
        yield ErrorLine(line["loc"], key, line["type"], _describe_error(dict(line), key, file))


def _describe_error(line: dict[str, Any], key: str, file: str) -> str:
    """Format one validation error without its location: found and expected value.

    Args:
        line: One entry of `ValidationError.errors()`.
        key: The dotted key.
        file: The file's name.
    """
    message = str(line["msg"])
    if line["type"] == "missing":
        return f"required, but missing (give it in {file} or with --set {key}=VALUE)"
    if line["type"] == "unknown_key":
        return add_key_hint(message, line["loc"])
    if line["type"] in {"unknown_type", "custom"}:
        return message
    if line["type"] in {"model_type", "dict_type"}:
        message = "expected a block of keys"
    elif line["type"] == "path_type":
        message = "expected a path"
    elif line["type"] == "list_type":
        message = "expected a list, such as [one, two]"
    elif line["type"] in {"too_short", "too_long"}:
        message = message.replace("List should have", "expected a list of")
        return message.replace(" after validation, not", ", found")
    message = message.removeprefix("Value error, ")
    message = message.replace("Input should be a valid ", "expected a valid ").replace("Input should be ", "expected ")
    value = line["input"]
    if isinstance(value, dict):
        value_text = "a block"
    elif isinstance(value, list):
        value_text = "a list"
    else:
        value_text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    if line["type"] in {"value_error", "assertion_error"}:
        return message
    return f"{message}, found {value_text}"
