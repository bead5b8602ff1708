"""Encoded examples, the order of an epoch, and batches."""

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
"""From token ids `(batch, length)` and a share to the tokens to hide, `(batch, length)`, bool."""


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        inputs: What the encoder's `collate` gave.
        targets: `(batch, tasks, ...)` a group of tasks.
        weights: `(batch, tasks)` a group: how much each label counts; None if all count alike.
        hidden: Place of a group of tasks to the inputs that it reads instead, some tokens hidden.
        twice: Whether the second half is the first once more, to be read under other dropout masks.
    """

    inputs: Any
    targets: Sequence[torch.Tensor]
    weights: Sequence[torch.Tensor | None]
    hidden: Mapping[int, Any] = field(default_factory=dict)
    twice: bool = False

    def without_labels(self) -> "Batch":
        """The same inputs, of which no label counts."""
        weights = [torch.zeros(table.shape[:2], device=table.device) for table in self.targets]
        return replace(self, weights=weights)


def hide_at_random(ids: torch.Tensor, share: float) -> torch.Tensor:
    """Draw the tokens to hide: for training."""
    return torch.rand(ids.shape) < share


def hide_evenly(ids: torch.Tensor, share: float) -> torch.Tensor:
    """Hide every so many tokens, always the same ones of a text: for evaluation."""
    every = max(1, round(1 / share))
    place = torch.arange(ids.shape[1])
    return ((place % every) == every // 2).expand(ids.shape)


class Examples:
    """All examples of a run as compact items and target tables.

    Args:
        encoder: Collates items.
        items: One item an example; equal inputs share one.
        lengths: `(examples,)`: about how long each is; batches are made of examples of about one length.
        targets: The targets of each group of tasks.
        weights: `(examples, tasks)`, float32, a group: how much each label counts; None if all count alike.
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
        """Put examples into a batch.

        Args:
            rows: Which examples.
            device: Where to.
            hiding: Chooses the tokens that are hidden from groups that predict them.
            needed: Which groups of tasks will be computed; all by default. Nothing is hidden for the others.
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
