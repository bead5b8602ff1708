"""Inference with a network over examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mtl_core.data.batches import Batch, Examples, RowIndices, build_length_batches
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.network import MultiTaskNetwork

EVALUATION_BATCH_SIZE = 128
MAX_EVALUATION_PIXELS = 2**21
"""Largest number of pixels of an evaluation batch of images, whose outputs per pixel need much memory."""


@dataclass(frozen=True)
class BatchOutputs:
    """The outputs of a network for one batch.

    Attributes:
        rows: `(batch,)`, int64: row indices of the examples.
        batch: Inputs and targets of the examples.
        groups: The outputs of each head group; None for a group that was not computed.
    """

    rows: RowIndices
    batch: Batch
    groups: Sequence[HeadOutput | None]


@torch.inference_mode()
def run_network(
    network: MultiTaskNetwork,
    examples: Examples,
    rows: RowIndices,
    device: torch.device,
    active_groups: Sequence[bool] | None = None,
) -> Iterator[BatchOutputs]:
    """Compute the outputs of every task for some examples, in batches of similar length.

    Args:
        network: The network; it is set to evaluation mode.
        examples: Encoded inputs and targets.
        rows: `(n,)`, int64: row indices of the examples.
        device: The device of the network.
        active_groups: Whether to compute each head group; all by default.

    Yields:
        The outputs of one batch.
    """
    if network.training:
        network.eval()
    output_masks = build_output_masks(active_groups) if active_groups is not None else None
    batch_size = compute_evaluation_batch_size(network.trunk.output.image_size)
    batches = build_length_batches(rows, examples.lengths, batch_size)
    for batch_rows, next_rows in zip(batches, [*batches[1:], None], strict=False):
        batch = examples.build_batch(batch_rows, device, active_groups=active_groups)
        if next_rows is not None:
            examples.prefetch(next_rows)
        head_outputs = network(batch.inputs, output_masks, batch.masked_inputs)
        yield BatchOutputs(batch_rows, batch, head_outputs)


def compute_evaluation_batch_size(image_size: tuple[int, int] | None) -> int:
    """Return the number of examples of an evaluation batch, which is smaller for large images."""
    if image_size is None:
        return EVALUATION_BATCH_SIZE
    return max(1, min(EVALUATION_BATCH_SIZE, MAX_EVALUATION_PIXELS // (image_size[0] * image_size[1])))


def build_output_masks(active_groups: Sequence[bool]) -> list[torch.Tensor | None]:
    """Return the output masks that skip all head groups except the active ones."""
    empty_mask = torch.zeros((1, 1), dtype=torch.bool)
    return [None if is_active else empty_mask for is_active in active_groups]


def select_labelled_outputs(
    groups: Sequence[TaskGroup], batch_outputs: BatchOutputs
) -> Iterator[tuple[FittedTask, torch.Tensor, torch.Tensor, RowIndices]]:
    """Select outputs and targets of unmasked labels, one task at a time.

    Args:
        groups: The head groups, in the order of the network.
        batch_outputs: The outputs of one batch.

    Yields:
        The task; outputs `(labels, outputs)`, float32; targets `(labels, ...)`; row indices `(labels,)`, int64.
    """
    for group, output, targets in zip(groups, batch_outputs.groups, batch_outputs.batch.targets, strict=True):
        if output is None:
            continue
        mask = group.mask(targets)
        for column, task in enumerate(group.tasks):
            valid = mask[:, column]
            rows = batch_outputs.rows[valid.nonzero()[:, 0].cpu().numpy()]
            yield task, output.outputs[:, column][valid].float().cpu(), targets[:, column][valid].cpu(), rows
