"""The input layers of networks that are computed at once: what each network reads of a batch."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.nn.sparse_linear import SparseBatch, SparseLinear
from mtl_core.training.batched_networks.sparse_sums import GradientBuffer, SparseRows, sum_rows

Tensors = dict[str, torch.Tensor]
INPUT_LAYER = "trunk.input_layer"


class InputReader(Protocol):
    """Computes, for several networks, the part of the input layer that `torch.vmap` cannot compute.

    Attributes:
        module: The rest of the input layer, which is called with the result for one network.
    """

    module: nn.Module

    def read(
        self, inputs: Any, weights: Mapping[str, torch.Tensor], rows: torch.Tensor | None, is_read: torch.Tensor
    ) -> torch.Tensor:
        """Read a batch.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            weights: Stacked weights of n networks.
            rows: `(n, examples)`, int64: the examples that each network reads; None if each reads all examples.
            is_read: `(n, examples)`, bool: the examples that count for each network; others are undefined.

        Returns:
            `(examples, width)`, the same for all networks, or `(n, examples, width)`.
        """


def build_input_reader(network: MultiTaskNetwork) -> InputReader:
    """Build the reader of a network's input layer.

    Raises:
        MtlError: If the input layers of several networks cannot be computed at once.
    """
    input_layer = getattr(network.trunk, "input_layer", None)
    if not isinstance(input_layer, nn.Module):
        raise MtlError("the architecture has no input layer that all tasks share")
    if not any(parameter.requires_grad for parameter in input_layer.parameters()):
        return SharedReader(input_layer)
    sparse_layers = [name for name, module in input_layer.named_modules() if isinstance(module, SparseLinear)]
    if len(sparse_layers) != 1 or not sparse_layers[0]:
        raise MtlError("the input layer has trainable weights")
    return SparseReader(input_layer, sparse_layers[0])


class SharedReader:
    """The reader of an input layer without trainable weights: the features of a batch are those of all networks.

    Args:
        input_layer: The input layer.
    """

    def __init__(self, input_layer: nn.Module) -> None:
        if any(isinstance(module, nn.Dropout) and module.p > 0 for module in input_layer.modules()):
            raise MtlError("the input layer has dropout")
        self._input_layer = input_layer.eval()
        self.module: nn.Module = _VectorFeatures()

    @torch.no_grad()
    def read(
        self, inputs: Any, weights: Mapping[str, torch.Tensor], rows: torch.Tensor | None, is_read: torch.Tensor
    ) -> torch.Tensor:
        """Return the features of the batch, or copies of those that each network reads."""
        features: Features = self._input_layer(inputs)
        if features.mask is not None or features.values.ndim != 2:
            raise MtlError("inputs have more than one vector per example")
        return features.values if rows is None else features.values[rows]


class SparseReader:
    """The reader of an input layer whose first module is a linear layer on sparse vectors.

    All networks are one `embedding_bag`: the table contains the weights of all networks one after the other.

    Args:
        input_layer: The input layer.
        name: The name of the linear layer in it.
    """

    def __init__(self, input_layer: nn.Module, name: str) -> None:
        parent, _, attribute = name.rpartition(".")
        setattr(input_layer.get_submodule(parent), attribute, nn.Identity())
        self.module = input_layer
        self._name = f"{INPUT_LAYER}.{name}"
        self._gradients = GradientBuffer()

    def read(
        self, inputs: Any, weights: Mapping[str, torch.Tensor], rows: torch.Tensor | None, is_read: torch.Tensor
    ) -> torch.Tensor:
        """Return the outputs of the linear layer of each network."""
        if not isinstance(inputs, SparseBatch):
            raise MtlError("inputs are not sparse vectors")
        weight, bias = weights[f"{self._name}.weight"], weights[f"{self._name}.bias"]
        n_networks, n_features, width = weight.shape
        networks, positions = is_read.nonzero(as_tuple=True)
        examples = positions if rows is None else rows[networks, positions]
        ends = torch.cat([inputs.offsets[1:], inputs.offsets.new_tensor([len(inputs.indices)])])
        sizes = (ends - inputs.offsets)[examples]
        starts = sizes.cumsum(0) - sizes
        entries = torch.arange(int(sizes.sum()), device=sizes.device)
        entries += (inputs.offsets[examples] - starts).repeat_interleave(sizes)
        indices = inputs.indices[entries] + (networks * n_features).repeat_interleave(sizes)
        values = None if inputs.values is None else inputs.values[entries].to(weight.dtype)
        sums = sum_rows(weight.reshape(-1, width), SparseRows(indices, starts, sizes, values), self._gradients)
        places = networks * is_read.shape[1] + positions
        table = sums.new_zeros((n_networks * is_read.shape[1], width)).index_copy(0, places, sums)
        return table.view(n_networks, is_read.shape[1], width) + bias.unsqueeze(1)


class _VectorFeatures(nn.Module):
    """An input layer that returns its vectors as features."""

    def forward(self, values: torch.Tensor) -> Features:
        """Return the features."""
        return Features(values)
