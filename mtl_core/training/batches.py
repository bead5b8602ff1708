"""Encoded examples, the order of an epoch, and batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.encoder import Encoder
from mtl_core.seeding import derive_seed

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        inputs: What the encoder's `collate` gave.
        targets: `(batch, tasks, ...)` a group of tasks.
    """

    inputs: Any
    targets: Sequence[torch.Tensor]


class Examples:
    """All examples of a run as compact items and target tables.

    Args:
        encoder: Collates items.
        items: One item an example; equal inputs share one.
        targets: `(examples, tasks, ...)` a group of tasks.
    """

    def __init__(self, encoder: Encoder[Any, Any], items: Sequence[Any], targets: Sequence[torch.Tensor]) -> None:
        self.encoder = encoder
        self.items = items
        self.targets = targets
        self.lengths = np.array([encoder.length(item) for item in items], dtype=np.int64)

    def batch(self, rows: Rows, device: torch.device) -> Batch:
        """Put examples into a batch."""
        index = torch.from_numpy(rows)
        inputs = self.encoder.collate([self.items[row] for row in rows])
        return Batch(inputs.to(device), [table[index].to(device) for table in self.targets])


def epoch_order(
    rows: Rows, lengths: NDArray[np.int64], batch_size: int, bucket_batches: int, seed: int, epoch: int
) -> list[Rows]:
    """Give the batches of an epoch: every row once, batches of about one length, order by (seed, epoch) alone.

    Rows are shuffled, cut into buckets of `bucket_batches` batches, sorted by length inside each bucket, cut into
    batches, and the batches are shuffled.

    Args:
        rows: The examples to visit.
        lengths: Length of every example of the corpus.
        batch_size: Rows in a batch; the last may have fewer.
        bucket_batches: Batches in a bucket; 1 does not sort.
        seed: The run's seed.
        epoch: Counted from 0.
    """
    random = np.random.default_rng(derive_seed(seed, "order", epoch))
    shuffled = random.permutation(rows)
    batches: list[Rows] = []
    bucket = batch_size * bucket_batches
    for start in range(0, len(shuffled), bucket):
        part = shuffled[start : start + bucket]
        if bucket_batches > 1:
            part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[cut : cut + batch_size] for cut in range(0, len(part), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def length_batches(rows: Rows, lengths: NDArray[np.int64], batch_size: int) -> list[Rows]:
    """Cut rows, sorted by length, into batches for evaluation; where lengths are plentiful, of one length each."""
    order = rows[np.argsort(lengths[rows], kind="stable")]
    batches: list[Rows] = []
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        # A batch without padding is fastest. It is worth being smaller for, but not much smaller.
        same = start + int(np.searchsorted(lengths[order[start:stop]], lengths[order[start]], side="right"))
        stop = same if same - start >= batch_size // 4 else stop
        batches.append(order[start:stop])
        start = stop
    return batches
