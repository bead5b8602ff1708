"""The files of a model: validation, loading, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from mtl_core import MtlError, did_you_mean
from mtl_transformers.silence_transformers import silence_transformers

WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
PICKLE_PATTERNS = ("pytorch_model*.bin", "*.pt", "*.pth")
_CONFIG_AND_TOKENIZER_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config of a model.

    Raises:
        MtlError: If there is none, it is damaged, or the model is not an encoder.
    """
    from transformers import AutoConfig

    path = folder / "config.json"
    if not path.is_file():
        raise MtlError(f"{folder}: expected a model's folder, with its config.json; there is none")
    try:
        model_type = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise MtlError(f"{path}: not a model's config: {error}") from error
    _validate_model_type(path, model_type)
    try:
        with silence_transformers():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MtlError(f"{path}: not a config that transformers can read: {_get_first_line(error)}") from error
    if config.is_encoder_decoder:
        raise MtlError(f"{path}: a model of type '{model_type}' is an encoder-decoder model, expected an encoder")
    if getattr(config, "is_decoder", False):
        raise MtlError(f"{path}: this model is a decoder (is_decoder: true), expected an encoder")
    config_dict: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return config_dict


def _validate_model_type(path: Path, model_type: object) -> None:
    """Require an encoder: a model type that transformers supports for masked language modelling."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    if model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise MtlError(f"{path}: a model of type '{model_type}' is an encoder-decoder model, expected an encoder")
    if model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return
    if model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise MtlError(f"{path}: a model of type '{model_type}' is a decoder, expected an encoder, such as bert")
    hint = did_you_mean(str(model_type), MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    raise MtlError(f"{path}: model_type {model_type!r} is not a text encoder supported by transformers{hint}")


def find_weight_files(folder: Path) -> list[Path]:
    """Validate the weight files of a model, and return their paths.

    Raises:
        MtlError: If there are none, or they are damaged or pickled.
    """
    files = [folder / WEIGHTS_FILE] if (folder / WEIGHTS_FILE).is_file() else _list_shards(folder)
    if not files:
        pickle_names = [pickle_path.name for pattern in PICKLE_PATTERNS for pickle_path in sorted(folder.glob(pattern))]
        if pickle_names:
            raise MtlError(
                f"{folder / pickle_names[0]}: pickled weights can run any code and are not read; "
                f"expected {WEIGHTS_FILE}: save the model again with save_pretrained"
            )
        raise MtlError(f"{folder}: the model has no weights; expected {WEIGHTS_FILE}")
    for path in files:
        try:
            with safe_open(path, framework="pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise MtlError(f"{path}: damaged: {_get_first_line(error)}") from error
    return files


def _list_shards(folder: Path) -> list[Path]:
    """Return the files that the index file lists."""
    index_path = folder / INDEX_FILE
    if not index_path.is_file():
        return []
    try:
        names = sorted(set(json.loads(index_path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MtlError(f"{index_path}: damaged: {_get_first_line(error)}") from error
    return [folder / name for name in names]


def load_model(folder: Path, config: dict[str, Any]) -> torch.nn.Module:
    """Build a model and load its weights, float32.

    Args:
        folder: The folder of the model.
        config: The config of the model, possibly with changed values.

    Raises:
        MtlError: If the weights are missing or damaged, or are another model's.
    """
    from transformers import AutoModel

    find_weight_files(folder)
    try:
        with silence_transformers(), torch.random.fork_rng(devices=[]):
            model, loading_info = AutoModel.from_pretrained(
                folder,
                config=build_config(config),
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError, KeyError) as error:
        raise MtlError(f"{folder}: the weights cannot be loaded: {_get_first_line(error)}") from error
    missing_names = sorted(name for name in loading_info["missing_keys"] if not name.startswith("pooler."))
    mismatched_names = sorted(str(entry[0]) for entry in loading_info["mismatched_keys"])
    if missing_names or mismatched_names:
        problem = f"'{missing_names[0]}' is missing" if missing_names else f"'{mismatched_names[0]}' has another shape"
        raise MtlError(f"{folder}: the weights do not fit config.json: {problem}")
    network: torch.nn.Module = model
    return network


def build_model(config: dict[str, Any]) -> torch.nn.Module:
    """Build a model with random weights, float32, to load weights into."""
    from transformers import AutoModel

    with silence_transformers(), torch.random.fork_rng(devices=[]):
        model: torch.nn.Module = AutoModel.from_config(build_config(config), dtype=torch.float32)
    return model


def build_config(config: dict[str, Any]) -> Any:
    """Build the config object of transformers from a dict.

    Raises:
        MtlError: If the installed version of transformers does not support the config.
    """
    from transformers import AutoConfig

    values = dict(config)
    try:
        return AutoConfig.for_model(values.pop("model_type"), **values)
    except (KeyError, ValueError, TypeError) as error:
        raise MtlError(
            f"the installed transformers cannot read the model's config: {_get_first_line(error)}"
        ) from error


def compute_fingerprint(folder: Path) -> str:
    """Return a hash of the contents of a model's files: weights, config and tokenizer.

    Raises:
        MtlError: If the model has no weights.
    """
    files = [
        *find_weight_files(folder),
        *(folder / name for name in _CONFIG_AND_TOKENIZER_FILES if (folder / name).is_file()),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        stat = path.stat()
        digest.update(f"{path.name}\n".encode() + _hash_file(path, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _hash_file(path: Path, size: int, modified_ns: int) -> bytes:
    """Hash the contents of a file; size and modification time are part of the cache key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _get_first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
