"""Predictions as `predictions.safetensors`: a few arrays per head group."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mtl_core.artifacts.prediction_arrays import PredictionArrays
from mtl_core.artifacts.prediction_layout import LAYOUT_KEY, build_group, dump_layout, list_arrays, load_layout
from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError


def write_safetensors(path: Path, predictions: PredictionArrays) -> None:
    """Write predictions; atomically."""
    ids = json.dumps(list(predictions.ids), ensure_ascii=False).encode()
    tensors = {"ids": np.frombuffer(ids, dtype=np.uint8)}
    for index, group in enumerate(predictions.groups):
        tensors |= {f"{index}.{name}": np.ascontiguousarray(array) for name, array in list_arrays(group)}
    metadata = {LAYOUT_KEY: dump_layout(predictions)}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def read_safetensors(path: Path) -> PredictionArrays:
    """Read predictions.

    Raises:
        MtlError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            layout = load_layout((file.metadata() or {})[LAYOUT_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
            ids = json.loads(tensors["ids"].tobytes())
            groups = [
                build_group(
                    entry, {key.partition(".")[2]: tensors[key] for key in tensors if key.split(".")[0] == name}
                )
                for name, entry in ((str(index), entry) for index, entry in enumerate(layout["groups"]))
            ]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise MtlError(f"{path}: damaged: {type(error).__name__}: {error}") from error
    return PredictionArrays(layout["split"], ids, groups, layout["samples"])
