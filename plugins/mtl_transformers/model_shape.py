"""What an input layer of a transformer tells the backbone: which model it is the beginning of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core import FeatureShape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model.

    Attributes:
        config: Its config.
        folder: Where its weights are; None where they will be loaded with the run's.
    """

    config: dict[str, Any]
    folder: Path | None

    def build(self, changes: dict[str, Any] | None = None) -> torch.nn.Module:
        """Make the model; its weights are random if there is no folder.

        Args:
            changes: Values of the config to be others.

        Raises:
            MtlError: If the weights cannot be loaded.
        """
        from mtl_transformers.model_files import bare_model, load_model

        config = {**self.config, **(changes or {})}
        return bare_model(config) if self.folder is None else load_model(self.folder, config)


@dataclass(frozen=True)
class PieceShape(FeatureShape):
    """Rows of a model's own word embedding table, one a piece, which the rest of that model can read.

    Attributes:
        model: The model.
        before: `(marks, width)`: the rows of the marks that a text begins with.
        after: `(marks, width)`: the rows of those that it ends with.
    """

    model: Pretrained = field(compare=False, kw_only=True)
    before: torch.Tensor = field(compare=False, repr=False, kw_only=True)
    after: torch.Tensor = field(compare=False, repr=False, kw_only=True)
