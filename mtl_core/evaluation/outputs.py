"""Running a network over examples without training it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtl_core.model.heads import HeadOutput
from mtl_core.training.batches import Examples, Rows, length_batches

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class GroupOutputs:
    """What a group of heads said.

    Attributes:
        outputs: `(examples, tasks, outputs)`, on the CPU.
        attention: `(tasks, length)` an example, or None if the heads have no attention.
    """

    outputs: torch.Tensor
    attention: Sequence[torch.Tensor] | None


@torch.inference_mode()
def run_network(
    network: nn.Module, examples: Examples, rows: Rows, device: torch.device, keep_attention: bool = False
) -> list[GroupOutputs]:
    """Compute the outputs of every task for the given examples, in their order.

    Args:
        network: The network; it is put into evaluation mode.
        examples: Items.
        rows: Which examples, and in which order the outputs come.
        device: Where the network lives.
        keep_attention: Whether attention weights are kept.
    """
    network.eval()
    place = {int(row): index for index, row in enumerate(rows)}
    outputs: list[torch.Tensor] = []
    attention: list[list[torch.Tensor]] = []
    for batch in length_batches(rows, examples.lengths, EVALUATION_BATCH):
        inputs = examples.encoder.collate([examples.items[row] for row in batch]).to(device)
        results: list[HeadOutput] = network(inputs)
        where = torch.tensor([place[int(row)] for row in batch])
        if not outputs:
            outputs = [_empty(len(rows), result.outputs) for result in results]
            attention = [[torch.empty(0)] * len(rows) for _ in results]
        for index, result in enumerate(results):
            outputs[index][where] = result.outputs.float().cpu()
            if keep_attention and result.attention is not None:
                _keep(attention[index], result.attention.cpu(), where, examples, batch)
    return [
        GroupOutputs(values, weights if keep_attention and weights and weights[0].numel() else None)
        for values, weights in zip(outputs, attention, strict=True)
    ]


def _empty(examples: int, like: torch.Tensor) -> torch.Tensor:
    return torch.empty((examples, *like.shape[1:]), dtype=torch.float32)


def _keep(store: list[Any], weights: torch.Tensor, where: torch.Tensor, examples: Examples, rows: Rows) -> None:
    for position, row, example in zip(where.tolist(), rows, weights, strict=True):
        store[position] = example[:, : int(examples.lengths[row])].clone()
