"""A transformer that is only asked, never trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mtl_core import MtlError
from mtl_transformers.find_model import find_model
from mtl_transformers.fingerprint import fingerprint
from mtl_transformers.model_files import config_of, load_model, read_config
from mtl_transformers.tokenizer import PieceTokenizer


class FrozenModel:
    """Gives states of tokens. Loaded when it is asked, and let go again.

    Args:
        model: The model's folder or name.
        layers: Whose states are averaged; 0 is what the first layer reads, -1 the last layer's.
    """

    def __init__(self, model: Path | str, layers: Sequence[int]) -> None:
        self._name = model
        self._layers = list(layers)

    @cached_property
    def _folder(self) -> Path:
        return find_model(self._name)

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_config(self._folder)

    @cached_property
    def _model(self) -> Any:
        return load_model(self._folder, self._config).eval()

    @cached_property
    def tokenizer(self) -> PieceTokenizer:
        """The model's tokenizer."""
        return PieceTokenizer.of_folder(self._folder)

    def check(self) -> None:
        """Refuse layers that the model does not have.

        Raises:
            MtlError: If it has no such layer, or there is no such model.
        """
        count = config_of(self._config).num_hidden_layers
        for layer in self._layers:
            if not -count - 1 <= layer <= count:
                raise MtlError(
                    f"encoder.layers: {layer}, but the model has the layers 1 to {count}, and 0 before them"
                )

    @property
    def identity(self) -> dict[str, Any]:
        """What its answers depend on, as JSON."""
        return {"model": fingerprint(self._folder), "layers": self._layers}

    @property
    def width(self) -> int:
        """Numbers in a state."""
        return int(config_of(self._config).hidden_size)

    @torch.inference_mode()
    def states(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """From `(batch, length)`, marks among them, to `(batch, length, width)`, float32.

        Args:
            ids: Int64.
            mask: `(batch, length)`, bool: where there is a token; None if everywhere.

        Raises:
            MtlError: If the model cannot be loaded.
        """
        attention = None if mask is None else mask.long()
        if self._layers == [-1]:
            last: torch.Tensor = self._model(input_ids=ids, attention_mask=attention)[0]
            return last
        every = self._model(input_ids=ids, attention_mask=attention, output_hidden_states=True).hidden_states
        return torch.stack([every[layer] for layer in self._layers]).mean(dim=0)

    def release(self) -> None:
        """Let the model go."""
        self.__dict__.pop("_model", None)
