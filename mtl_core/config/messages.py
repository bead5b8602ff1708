"""Formatting of pydantic's validation errors with file, line and key."""

import json
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from mtl_core.config.yaml_file import Loc, YamlFile


def explain(error: ValidationError, source: YamlFile, overridden: Collection[Loc]) -> str:
    """Format validation errors, one per line: location, found value, expected value.

    Args:
        error: The error that pydantic raised.
        source: The file, for line numbers.
        overridden: The locations that were set on the command line.
    """
    lines = error.errors(include_url=False)
    return "\n".join(_line(dict(line), source, overridden) for line in lines)


def _line(line: dict[str, Any], source: YamlFile, overridden: Collection[Loc]) -> str:
    loc: Loc = tuple(line["loc"])
    key = ".".join(str(step) for step in loc) or "experiment"
    # Values from `--set` are not in the file: neither keys below such a location, nor new blocks that contain it.
    new = loc and loc not in source.lines
    made = next((place for place in overridden if new and place[: len(loc)] == loc), None)
    if made or any(loc[: len(place)] == place for place in overridden):
        where = f"--set {'.'.join(map(str, made or loc))}"
    else:
        number = source.line_of(loc)
        where = f"{source.path}:{number}: {key}" if number else f"{source.path}: {key}"
    return f"{where}: {flaw(line, key, source.path.name)}"


def flaw(line: dict[str, Any], key: str, file: str) -> str:
    """Format one validation error without its location: found and expected value.

    Args:
        line: One entry of `ValidationError.errors()`.
        key: The dotted key.
        file: The file's name.
    """
    message = str(line["msg"])
    if line["type"] == "missing":
        return f"required, but missing (give it in {file} or with --set {key}=VALUE)"
    if line["type"] in {"unknown_key", "unknown_type", "seam"}:
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
    message = message.replace("Input should be a valid ", "expected a valid ").replace(
        "Input should be ", "expected "
    )
    found = line["input"]
    if isinstance(found, dict):
        found_text = "a block"
    elif isinstance(found, list):
        found_text = "a list"
    else:
        found_text = json.dumps(found) if found is None or isinstance(found, bool) else repr(found)
    if line["type"] in {"value_error", "assertion_error"}:
        return message
    return f"{message}, found {found_text}"
