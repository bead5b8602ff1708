"""Loading and validation of the files of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from mtl_core import MtlError
from mtl_core.errors import did_you_mean
from mtl_transformers.quiet import quiet

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth")


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
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise MtlError(f"{path}: not a model's config: {error}") from error
    _check_kind(path, kind)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MtlError(f"{path}: not a config that transformers can read: {_first_line(error)}") from error
    if config.is_encoder_decoder:
        raise MtlError(f"{path}: a model of type '{kind}' is an encoder-decoder model, expected an encoder")
    if getattr(config, "is_decoder", False):
        raise MtlError(f"{path}: this model is a decoder (is_decoder: true), expected an encoder")
    found: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return found


def _check_kind(path: Path, kind: object) -> None:
    """Require an encoder: a model type that transformers supports for masked language modelling."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    if kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise MtlError(f"{path}: a model of type '{kind}' is an encoder-decoder model, expected an encoder")
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise MtlError(f"{path}: a model of type '{kind}' is a decoder, expected an encoder, such as bert")
    near = did_you_mean(str(kind), MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    raise MtlError(f"{path}: model_type {kind!r} is not a text encoder supported by transformers{near}")


def check_weights(folder: Path) -> list[Path]:
    """Validate the weight files of a model, and return their paths.

    Raises:
        MtlError: If there are none, or they are damaged or pickled.
    """
    files = [folder / WEIGHTS] if (folder / WEIGHTS).is_file() else _shards(folder)
    if not files:
        pickled = [found.name for pattern in PICKLED for found in sorted(folder.glob(pattern))]
        if pickled:
            raise MtlError(
                f"{folder / pickled[0]}: pickled weights can run any code and are not read; expected {WEIGHTS}: "
                "save the model again with save_pretrained"
            )
        raise MtlError(f"{folder}: the model has no weights; expected {WEIGHTS}")
    for path in files:
        try:
            with safe_open(path, framework="pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise MtlError(f"{path}: damaged: {_first_line(error)}") from error
    return files


def _shards(folder: Path) -> list[Path]:
    """Return the files that the index file lists."""
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MtlError(f"{index}: damaged: {_first_line(error)}") from error
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

    check_weights(folder)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            model, found = AutoModel.from_pretrained(
                folder,
                config=config_of(config),
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError, KeyError) as error:
        raise MtlError(f"{folder}: the weights cannot be loaded: {_first_line(error)}") from error
    missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    wrong = sorted(str(entry[0]) for entry in found["mismatched_keys"])
    if missing or wrong:
        what = f"'{missing[0]}' is missing" if missing else f"'{wrong[0]}' has another shape"
        raise MtlError(f"{folder}: the weights do not fit config.json: {what}")
    loaded: torch.nn.Module = model
    return loaded


def bare_model(config: dict[str, Any]) -> torch.nn.Module:
    """Build a model with random weights, float32, to load weights into."""
    from transformers import AutoModel

    with quiet(), torch.random.fork_rng(devices=[]):
        model: torch.nn.Module = AutoModel.from_config(config_of(config), dtype=torch.float32)
    return model


def config_of(config: dict[str, Any]) -> Any:
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
            f"the installed transformers cannot read the model's config: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
