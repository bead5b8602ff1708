"""The input layer of the encoder `transformer`: the word embedding table of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape, MtlError
from mtl_transformers.pretrained_model import PretrainedModel
from mtl_transformers.special_tokens import SpecialTokenIds


@dataclass(frozen=True)
class SubwordBatch:
    """A batch of texts as padded subword ids.

    Attributes:
        ids: `(batch, length)`, int64: ids of subwords.
        lengths: `(batch,)`, int64: number of subwords of each text, at least 1.
    """

    ids: torch.Tensor
    lengths: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """`(batch, length)`, bool: False for padding."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> SubwordBatch:
        """Move the batch to a device."""
        return SubwordBatch(self.ids.to(device), self.lengths.to(device))


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


class SubwordEmbedding(nn.Module):
    """The word embedding table of a model.

    Args:
        model: The model.
        special_ids: The ids of its special tokens; the backbone receives their embeddings.
        trainable: Whether the table is trained.

    Raises:
        MtlError: If the model's weights cannot be loaded, or it has no word embedding table.
    """

    def __init__(self, model: PretrainedModel, special_ids: SpecialTokenIds, trainable: bool) -> None:
        super().__init__()
        network: Any = model.build()
        try:
            weights: torch.Tensor = network.get_input_embeddings().weight.detach()
        except (NotImplementedError, AttributeError) as error:
            raise MtlError(f"a model of type '{model.config['model_type']}' has no word embedding table") from error
        self.table = nn.Parameter(weights.clone(), requires_grad=trainable)
        self.output = SubwordShape(
            self.table.shape[1],
            sequence=True,
            model=model,
            prefix=weights[list(special_ids.prefix)].clone(),
            suffix=weights[list(special_ids.suffix)].clone(),
        )

    def forward(self, batch: SubwordBatch) -> Features:
        """Return features `(batch, length, width)` and their mask."""
        return Features(F.embedding(batch.ids, self.table), batch.mask)
