"""A pretrained model: its config and the folder of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
