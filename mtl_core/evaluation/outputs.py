"""Running a network over examples without training it."""

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
    """Pick what was said about labels that count, a task at a time.

    Args:
        groups: The groups of tasks, in the network's order.
        said: What they said.

    Yields:
        The task; outputs `(labels, outputs)`, float32; targets `(labels, ...)`; the example of each, `(labels,)`.
    """
    for group, output, targets in zip(groups, said.groups, said.batch.targets, strict=True):
        if output is None:
            continue
        mask = group.mask(targets)
        for column, task in enumerate(group.tasks):
            valid = mask[:, column]
            rows = said.rows[valid.nonzero()[:, 0].cpu().numpy()]
            yield task, output.outputs[:, column][valid].float().cpu(), targets[:, column][valid].cpu(), rows
