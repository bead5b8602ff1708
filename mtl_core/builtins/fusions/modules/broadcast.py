"""Broadcast of static features to tokens or positions."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from mtl_core.errors import MtlError, join_names
from mtl_core.nn.features import Features, FeatureShape


class BroadcastFusion(nn.Module):
    """Concatenation of the static features of all columns to each token or position of one column.

    Args:
        inputs: Column to the shape of its features.

    Raises:
        MtlError: If not exactly one column has tokens or positions.
    """

    def __init__(self, inputs: Mapping[str, FeatureShape]) -> None:
        super().__init__()
        names = [name for name, shape in inputs.items() if shape.layout != "vector"]
        if len(names) != 1:
            raise MtlError(
                "the fusion 'broadcast' needs exactly one column with tokens or positions, found "
                f"{f'{len(names)} ({join_names(names)})' if names else 'none'}; 'concatenate' joins any columns"
            )
        self._name = names[0]
        self.output = replace(inputs[self._name], width=sum(shape.width for shape in inputs.values()))

    def forward(self, columns: Mapping[str, Features]) -> Features:
        """Return features of the column with tokens or positions, with all other columns' features appended."""
        target = columns[self._name]
        static = [features.values for name, features in columns.items() if name != self._name]
        if not static:
            return target
        vector = torch.cat(static, dim=1)
        if target.mask is not None:
            return Features(
                torch.cat([target.values, _expand(vector.unsqueeze(1), target.values, -1)], -1), target.mask
            )
        return Features(torch.cat([target.values, _expand(vector[:, :, None, None], target.values, 1)], 1))


def _expand(vector: torch.Tensor, values: torch.Tensor, channel_dim: int) -> torch.Tensor:
    """Expand a tensor to the shape of `values` in all dimensions except that of the channels."""
    shape = list(values.shape)
    shape[channel_dim] = vector.shape[channel_dim]
    return vector.expand(shape).to(values.dtype)
