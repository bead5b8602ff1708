"""Read and write JSON files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mtl_core.errors import MtlError

Schema = TypeVar("Schema")


@contextmanager
def wrap_parse_errors(path: Path) -> Iterator[None]:
    """Convert errors from unexpected file contents into an `MtlError` that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise MtlError(f"{path}: damaged: {type(error).__name__}: {error}") from error


def read_text(path: Path) -> str:
    """Read a UTF-8 text file.

    Raises:
        MtlError: If the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MtlError(f"{path}: damaged: not UTF-8: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MtlError: If the file cannot be read or does not contain a JSON object.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise MtlError(f"{path}: damaged: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise MtlError(f"{path}: damaged: found a {type(content).__name__}, expected an object")
    return content


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one JSON object per line.

    Raises:
        MtlError: If a line is not a JSON object; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for line_number, line in enumerate(lines, start=1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise MtlError(f"{path}:{line_number}: damaged: expected an object, found {line.strip()[:60]}")
                yield record
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise MtlError(f"{path}: damaged: not valid JSON Lines: {error}") from error


def parse_schema(schema: type[Schema], content: Any, path: Path) -> Schema:
    """Convert the content of a file to the dataclass of its schema; keys that the schema lacks are ignored.

    Raises:
        MtlError: If a key is missing or a value has the wrong type; the message names the file and the key.
    """
    try:
        return TypeAdapter(schema).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"]))
        raise MtlError(f"{path}: damaged: {location + ': ' if location else ''}{first['msg']}") from error


def dump_json(content: Mapping[str, Any]) -> str:
    """Serialize an object as indented JSON; NaN raises a ValueError."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
