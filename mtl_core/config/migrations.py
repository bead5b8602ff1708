"""Old experiment files: each format version knows how to become the next one."""

from collections.abc import Callable
from typing import Any

from mtl_core.config.experiment import FORMAT_VERSION
from mtl_core.config.yaml_file import YamlFile
from mtl_core.errors import MtlError

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From version to the function that lifts a file of that version by one. Version 1 is the first."""


def migrate(source: YamlFile) -> dict[str, Any]:
    """Lift an experiment to today's format.

    Raises:
        MtlError: If the file was written by a newer version, or names no version that ever was.
    """
    value = source.value
    where = f"{source.path}:{source.line_of(('version',))}: version"
    version = value.get("version", FORMAT_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MtlError(f"{where}: found {version!r}, expected a number from 1 to {FORMAT_VERSION}")
    if version > FORMAT_VERSION:
        raise MtlError(
            f"{where}: the file has format {version}, this installation reads up to {FORMAT_VERSION}; "
            "upgrade mtl-core"
        )
    while version < FORMAT_VERSION:
        value = MIGRATIONS[version](value)
        version += 1
    return {**value, "version": FORMAT_VERSION} if "version" in value else value
