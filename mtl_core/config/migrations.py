"""Migration of experiment files from older format versions."""

from collections.abc import Callable
from typing import Any

from mtl_core.config.experiment import FORMAT_VERSION
from mtl_core.config.yaml_file import YamlFile
from mtl_core.errors import MtlError

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Maps a version to the function that converts a file of this version to the next. Version 1 is the first."""


def migrate(source: YamlFile) -> dict[str, Any]:
    """Convert an experiment to the current format version.

    Raises:
        MtlError: If the file has a newer or an invalid format version.
    """
    value = source.value
    location = f"{source.path}:{source.find_line(('version',))}: version"
    version = value.get("version", FORMAT_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MtlError(f"{location}: found {version!r}, expected a number from 1 to {FORMAT_VERSION}")
    if version > FORMAT_VERSION:
        raise MtlError(
            f"{location}: the file has format {version}, this installation reads up to {FORMAT_VERSION}; "
            "upgrade mtl-core"
        )
    while version < FORMAT_VERSION:
        value = MIGRATIONS[version](value)
        version += 1
    return {**value, "version": FORMAT_VERSION} if "version" in value else value
