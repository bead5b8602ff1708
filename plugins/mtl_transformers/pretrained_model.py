"""The feature shape of the encoder `transformer`, which passes the model to the backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core import FeatureShape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PretrainedModel:
    """A pretrained model.

    Attributes:
        config: The config of the model.
        folder: The folder of the weights; None if the weights are those of a run.
    """

    config: dict[str, Any]
    folder: Path | None

    def build(self, overrides: dict[str, Any] | None = None) -> torch.nn.Module:
        """Build the model, with random weights if there is no folder.

        Args:
            overrides: Values that override those of the config.

        Raises:
            MtlError: If the weights cannot be loaded.
        """
        from mtl_transformers.model_files import build_model, load_model

        config = {**self.config, **(overrides or {})}
        return build_model(config) if self.folder is None else load_model(self.folder, config)


@dataclass(frozen=True)
class SubwordShape(FeatureShape):
    """The shape of features that are rows of a model's word embedding table, one per subword.

    Attributes:
        model: The model.
        prefix: `(special tokens, width)`: embeddings of the special tokens at the beginning of a text.
        suffix: `(special tokens, width)`: embeddings of the special tokens at the end of a text.
    """

    model: PretrainedModel = field(compare=False, kw_only=True)
    prefix: torch.Tensor = field(compare=False, repr=False, kw_only=True)
    suffix: torch.Tensor = field(compare=False, repr=False, kw_only=True)
