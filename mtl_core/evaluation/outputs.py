"""Inference with a network over examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mtl_core.model.heads import HeadOutput
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch, Examples, Rows, length_batches
from mtl_core.training.groups import LearnedTask, TaskGroup

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class BatchOutputs:
    """The outputs of a network for one batch.

    Attributes:
        rows: `(batch,)`, int64: row indices of the examples.
        batch: Inputs and targets of the examples.
        groups: The outputs of each head group; None for a group that was not computed.
    """

    rows: Rows
    batch: Batch
    groups: Sequence[HeadOutput | None]


@torch.inference_mode()
def run_network(
    network: MultiTaskNetwork,
    examples: Examples,
    rows: Rows,
    device: torch.device,
    asked: Sequence[bool] | None = None,
) -> Iterator[BatchOutputs]:
    """Compute the outputs of every task for some examples, in batches of similar length.

    Args:
        network: The network; it is set to evaluation mode.
        examples: Encoded inputs and targets.
        rows: `(n,)`, int64: row indices of the examples.
        device: The device of the network.
        asked: Whether to compute each head group; all by default.

    Yields:
        The outputs of one batch.
    """
    if network.training:
        network.eval()
    nothing = torch.zeros((1, 1), dtype=torch.bool)
    wanted = None if asked is None else [None if ask else nothing for ask in asked]
    for chosen in length_batches(rows, examples.lengths, EVALUATION_BATCH):
        batch = examples.batch(chosen, device, needed=asked)
        said = network(batch.inputs, wanted, batch.hidden)
        yield BatchOutputs(chosen, batch, said)


def labelled_outputs(
    groups: Sequence[TaskGroup], said: BatchOutputs
) -> Iterator[tuple[LearnedTask, torch.Tensor, torch.Tensor, Rows]]:
    """Select outputs and targets of unmasked labels, one task at a time.

    Args:
        groups: The head groups, in the order of the network.
        said: The outputs of one batch.

    Yields:
        The task; outputs `(labels, outputs)`, float32; targets `(labels, ...)`; row indices `(labels,)`, int64.
    """
    for group, output, targets in zip(groups, said.groups, said.batch.targets, strict=True):
        if output is None:
            continue
        mask = group.mask(targets)
        for column, task in enumerate(group.tasks):
            valid = mask[:, column]
            rows = said.rows[valid.nonzero()[:, 0].cpu().numpy()]
            yield task, output.outputs[:, column][valid].float().cpu(), targets[:, column][valid].cpu(), rows
