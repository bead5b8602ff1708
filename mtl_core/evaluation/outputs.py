"""Running a network over examples without training it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mtl_core.model.heads import HeadOutput
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch, Examples, Rows, length_batches

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class BatchOutputs:
    """What the network said about some examples.

    Attributes:
        rows: Which examples.
        batch: Their inputs and targets.
        groups: What each group of heads said; None for a group that was not asked.
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
    """Compute the outputs of every task for the given examples, a batch of about one length at a time.

    Args:
        network: The network; it is put into evaluation mode.
        examples: Items and targets.
        rows: Which examples.
        device: Where the network lives.
        asked: Which groups of tasks are computed; all by default.
    """
    network.eval()
    nothing = torch.zeros((1, 1), dtype=torch.bool)
    wanted = None if asked is None else [None if ask else nothing for ask in asked]
    for chosen in length_batches(rows, examples.lengths, EVALUATION_BATCH):
        batch = examples.batch(chosen, device, needed=asked)
        said = network(batch.inputs, wanted, batch.hidden)
        yield BatchOutputs(chosen, batch, said)
