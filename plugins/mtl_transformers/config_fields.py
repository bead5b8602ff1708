"""The config field for models, and the check of the extra `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from mtl_core import MtlError, describe_missing_packages

EXTRA = "'mtl-core[transformers]'"
DEFAULT_MODEL = "all-minilm-l6-v2"


def _parse_model_name(value: object) -> object:
    """Convert a string that looks like a path to `Path`, so that it is relative to the YAML file."""
    if not isinstance(value, str | Path):
        raise ValueError("expected a model's name, or a folder")
    if isinstance(value, str) and (value.startswith((".", "~", "/")) or Path(value).is_absolute()):
        return Path(value)
    return value


ModelName = Annotated[Path | str, BeforeValidator(_parse_model_name), "input-path"]
"""A path, or the name of a packaged model or of a model on the Hugging Face hub."""


def require_installed(config_key: str, type_name: str, *modules: str) -> None:
    """Require that the packages of the extra are installed.

    Args:
        config_key: The key of the config block.
        type_name: The type that needs the packages.
        modules: The required modules.

    Raises:
        MtlError: If one is not installed; the message contains the command that installs it.
    """
    if message := describe_missing_packages(dict.fromkeys(modules, EXTRA)):
        raise MtlError(f"{config_key}: the type '{type_name}' {message}")
