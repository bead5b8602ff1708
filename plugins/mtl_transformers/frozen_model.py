"""A frozen transformer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mtl_core import MtlError
from mtl_transformers.find_model import find_model
from mtl_transformers.model_files import build_config, compute_fingerprint, load_model, read_config
from mtl_transformers.subword_tokenizer import SubwordTokenizer


class FrozenModel:
    """A transformer that computes states of tokens. It is loaded on first use, and can be unloaded.

    Args:
        model: The path or name of the model.
        layers: The layers whose states are averaged; 0 is the embeddings, -1 the last layer.
    """

    def __init__(self, model: Path | str, layers: Sequence[int]) -> None:
        self._model_name = model
        self._layers = list(layers)

    @cached_property
    def _folder(self) -> Path:
        return find_model(self._model_name)

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_config(self._folder)

    @cached_property
    def _model(self) -> Any:
        return load_model(self._folder, self._config).eval()

    @cached_property
    def tokenizer(self) -> SubwordTokenizer:
        """The tokenizer of the model."""
        return SubwordTokenizer.from_folder(self._folder)

    def validate_layers(self) -> None:
        """Require that the model has the layers.

        Raises:
            MtlError: If it does not have a layer, or there is no such model.
        """
        n_layers = build_config(self._config).num_hidden_layers
        for layer in self._layers:
            if not -n_layers - 1 <= layer <= n_layers:
                raise MtlError(
                    f"encoder.layers: {layer}, but the model has the layers 1 to {n_layers}, and 0 for the embeddings"
                )

    @property
    def identity(self) -> dict[str, Any]:
        """The values on which the states depend, as a JSON-serialisable dict."""
        return {"model": compute_fingerprint(self._folder), "layers": self._layers}

    @property
    def width(self) -> int:
        """Hidden size of the model."""
        return int(build_config(self._config).hidden_size)

    @torch.inference_mode()
    def compute_states(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the states of tokens, `(batch, length, width)`, float32.

        Args:
            ids: `(batch, length)`, int64: ids of subwords and special tokens.
            mask: `(batch, length)`, bool: False for padding; None if there is no padding.

        Raises:
            MtlError: If the model cannot be loaded.
        """
        attention_mask = None if mask is None else mask.long()
        if self._layers == [-1]:
            last: torch.Tensor = self._model(input_ids=ids, attention_mask=attention_mask)[0]
            return last
        hidden_states = self._model(
            input_ids=ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        return torch.stack([hidden_states[layer] for layer in self._layers]).mean(dim=0)

    def unload(self) -> None:
        """Unload the model."""
        self.__dict__.pop("_model", None)
