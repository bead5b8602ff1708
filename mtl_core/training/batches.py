"""Encoded examples and batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.encoder import Encoder
from mtl_core.seeding import derive_seed
from mtl_core.training.targets import InputTargets, TargetTable

Rows = NDArray[np.int64]
Hiding = Callable[[torch.Tensor, float], torch.Tensor]
"""Function from token ids `(batch, length)` and a mask ratio to the tokens to mask, `(batch, length)`, bool."""


@dataclass(frozen=True)
class Batch:
    """The batch of one step.

    Attributes:
        inputs: The batch that the encoder's `collate` returned.
        targets: `(batch, tasks, ...)` per head group.
        weights: `(batch, tasks)`, float, per head group: the weight of each label; None for equal weights.
        hidden: Mapping of head group index to the inputs with masked tokens that the group reads instead.
        twice: Whether the second half repeats the first, to compute it with other dropout masks (R-Drop).
    """

    inputs: Any
    targets: Sequence[torch.Tensor]
    weights: Sequence[torch.Tensor | None]
    hidden: Mapping[int, Any] = field(default_factory=dict)
    twice: bool = False

    def without_labels(self) -> "Batch":
        """Return the batch with a weight of 0 for every label."""
        weights = [torch.zeros(table.shape[:2], device=table.device) for table in self.targets]
        return replace(self, weights=weights)


def hide_at_random(ids: torch.Tensor, share: float) -> torch.Tensor:
    """Sample the tokens to mask, for training."""
    return torch.rand(ids.shape) < share


def hide_evenly(ids: torch.Tensor, share: float) -> torch.Tensor:
    """Select tokens to mask at regular intervals, always the same ones of a text, for evaluation."""
    every = max(1, round(1 / share))
    place = torch.arange(ids.shape[1])
    return ((place % every) == every // 2).expand(ids.shape)


class Examples:
    """All examples of a run as compact items and target tables.

    Args:
        encoder: Collates items.
        items: One item per example; equal inputs share an item.
        lengths: `(examples,)`, int64: approximate length of each example; batches contain similar lengths.
        targets: One target table per head group.
        weights: `(examples, tasks)`, float32, per head group: the weight of each label; None for equal weights.
    """

    def __init__(
        self,
        encoder: Encoder[Any, Any],
        items: Sequence[Any],
        lengths: NDArray[np.int64],
        targets: Sequence[TargetTable],
        weights: Sequence[torch.Tensor | None] | None = None,
    ) -> None:
        self.encoder = encoder
        self.items = items
        self.lengths = lengths
        self.targets = targets
        self.weights = weights or [None] * len(targets)

    def batch(
        self,
        rows: Rows,
        device: torch.device,
        hiding: Hiding = hide_evenly,
        needed: Sequence[bool] | None = None,
    ) -> Batch:
        """Build a batch of examples.

        Args:
            rows: `(batch,)`, int64: indices of the examples.
            device: The device of the batch.
            hiding: Selects the tokens that are masked for head groups that predict them.
            needed: Whether each head group is computed; all by default. Other head groups get no masked inputs.
        """
        index = torch.from_numpy(rows)
        inputs = self.encoder.collate([self.items[row] for row in rows])
        ids = None
        if any(isinstance(table, InputTargets) for table in self.targets):
            ids = self.encoder.token_ids(inputs)
        targets, hidden = [], {}
        for place, table in enumerate(self.targets):
            where = None
            if table.hides and ids is not None:
                if needed is None or needed[place]:
                    where = hiding(ids, table.hides) & (ids >= 0)
                    hidden[place] = self.encoder.hide(inputs, where).to(device)
                else:
                    where = torch.zeros(ids.shape, dtype=torch.bool)
            targets.append(table.batch(index, ids, where).to(device))
        weights = [None if table is None else table[index].to(device) for table in self.weights]
        return Batch(inputs.to(device), targets, weights, hidden)


def epoch_order(
    rows: Rows, lengths: NDArray[np.int64], batch_size: int, bucket_batches: int, seed: int, epoch: int
) -> list[Rows]:
    """Return the batches of an epoch: every row once, similar lengths per batch, determined by seed and epoch.

    Rows are shuffled, split into buckets of `bucket_batches` batches, sorted by length within each bucket, split
    into batches, and the batches are shuffled.

    Args:
        rows: `(n,)`, int64: indices of the examples.
        lengths: `(examples,)`, int64: length of each example of the corpus.
        batch_size: Examples per batch; the last batch may be smaller.
        bucket_batches: Batches per bucket; 1 disables sorting.
        seed: The seed of the run.
        epoch: The epoch, counted from 0.
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
    """Split rows, sorted by length, into batches for evaluation, of a single length each where possible."""
    order = rows[np.argsort(lengths[rows], kind="stable")]
    batches: list[Rows] = []
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        # A batch without padding is fastest, unless it is much smaller than `batch_size`.
        same = start + int(np.searchsorted(lengths[order[start:stop]], lengths[order[start]], side="right"))
        stop = same if same - start >= batch_size // 4 else stop
        batches.append(order[start:stop])
        start = stop
    return batches
