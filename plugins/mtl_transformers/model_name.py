"""How YAML names a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from mtl_core import MtlError
from mtl_core.packages import what_is_missing

EXTRA = "'mtl-core[transformers]'"
DEFAULT_MODEL = "all-minilm-l6-v2"


def _folder_or_name(value: object) -> object:
    """Read as a folder what is written like one, so that it starts at the YAML's folder, as other paths do."""
    if not isinstance(value, str | Path):
        raise ValueError("expected a model's name, or a folder")
    if isinstance(value, str) and (value.startswith((".", "~", "/")) or Path(value).is_absolute()):
        return Path(value)
    return value


def _folder_or_switch(value: object) -> object:
    if not isinstance(value, bool | str | Path):
        raise ValueError("expected true, false, or a folder")
    return Path(value) if isinstance(value, str) else value


ModelName = Annotated[Path | str, BeforeValidator(_folder_or_name), "input-path"]
"""A folder, or a name: of an installed package, or of the Hugging Face hub."""
CacheFolder = Annotated[Path | bool, BeforeValidator(_folder_or_switch)]
"""Whether something is kept on disk, or the folder in which it is."""


def check_installed(seam: str, type_name: str, *modules: str) -> None:
    """Refuse to go on without the packages of the extra.

    Args:
        seam: The block's key.
        type_name: The part that needs them.
        modules: Modules that are needed.

    Raises:
        MtlError: If one is not installed; the message says how it is.
    """
    if flaw := what_is_missing(dict.fromkeys(modules, EXTRA)):
        raise MtlError(f"{seam}: the type '{type_name}' {flaw}")
