"""Encoded examples and batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.array_rows import ArrayRows
from mtl_core.data.encoder import Encoder
from mtl_core.data.lazy_sequences import LazySequence
from mtl_core.data.targets import InputTargets, TargetTable
from mtl_core.seeding import derive_seed

RowIndices = NDArray[np.int64]
TokenMasker = Callable[[torch.Tensor, float], torch.Tensor]
"""Function from token ids `(batch, length)` and a mask ratio to the tokens to mask, `(batch, length)`, bool."""
Augmentation = Callable[[Any], tuple[Any, torch.Tensor | None]]
"""Function from a batch of inputs to an augmented batch and the sources of its pixels; see `Encoder.augment`."""


@dataclass(frozen=True)
class Batch:
    """The batch of one step.

    Attributes:
        inputs: The batch that the encoder's `collate` returned.
        targets: `(batch, tasks, ...)` per head group.
        weights: `(batch, tasks)`, float, per head group: the weight of each label; None for equal weights.
        masked_inputs: Mapping of head group index to the inputs with masked tokens that the group reads instead.
        is_duplicated: Whether the second half repeats the first, to compute it with other dropout masks (R-Drop).
    """

    inputs: Any
    targets: Sequence[torch.Tensor]
    weights: Sequence[torch.Tensor | None]
    masked_inputs: Mapping[int, Any] = field(default_factory=dict)
    is_duplicated: bool = False

    def drop_labels(self) -> "Batch":
        """Return the batch with a weight of 0 for every label."""
        weights = [torch.zeros(table.shape[:2], device=table.device) for table in self.targets]
        return replace(self, weights=weights)


def sample_token_mask(token_ids: torch.Tensor, mask_ratio: float) -> torch.Tensor:
    """Sample the tokens to mask, for training."""
    return torch.rand(token_ids.shape) < mask_ratio


def build_regular_token_mask(token_ids: torch.Tensor, mask_ratio: float) -> torch.Tensor:
    """Select tokens to mask at regular intervals, always the same ones of a text, for evaluation."""
    interval = max(1, round(1 / mask_ratio))
    positions = torch.arange(token_ids.shape[1])
    return ((positions % interval) == interval // 2).expand(token_ids.shape)


def keep_inputs(inputs: Any) -> tuple[Any, torch.Tensor | None]:
    """Return inputs without augmentation, for evaluation."""
    return inputs, None


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

    def prefetch(self, row_indices: RowIndices) -> None:
        """Start to load the inputs of a coming batch in the background, where they are on disk.

        Args:
            row_indices: `(batch,)`, int64: indices of the examples.
        """
        if not isinstance(self.items, LazySequence):  # whose items are parsed on access
            self.encoder.prefetch(self._select_items(row_indices))

    def build_batch(
        self,
        row_indices: RowIndices,
        device: torch.device,
        token_masker: TokenMasker = build_regular_token_mask,
        active_groups: Sequence[bool] | None = None,
        augmentation: Augmentation = keep_inputs,
    ) -> Batch:
        """Build a batch of examples.

        Args:
            row_indices: `(batch,)`, int64: indices of the examples.
            device: The device of the batch.
            token_masker: Selects the tokens that are masked for head groups that predict them.
            active_groups: Whether each head group is computed; all by default. Other groups get no masked inputs.
            augmentation: Augments the inputs; `encoder.augment` for training.
        """
        index_tensor = torch.from_numpy(row_indices)
        inputs, pixel_indices = augmentation(self.encoder.collate(self._select_items(row_indices)))
        token_ids = None
        if any(isinstance(table, InputTargets) for table in self.targets):
            token_ids = self.encoder.token_ids(inputs)
        targets, masked_inputs = [], {}
        for group_index, table in enumerate(self.targets):
            token_mask = None
            if table.mask_ratio and token_ids is not None:
                if active_groups is None or active_groups[group_index]:
                    token_mask = token_masker(token_ids, table.mask_ratio) & (token_ids >= 0)
                    masked_inputs[group_index] = self.encoder.mask_tokens(inputs, token_mask).to(device)
                else:
                    token_mask = torch.zeros(token_ids.shape, dtype=torch.bool)
            targets.append(table.get_targets(index_tensor, token_ids, token_mask, pixel_indices).to(device))
        weights = [None if table is None else table[index_tensor].to(device) for table in self.weights]
        return Batch(inputs.to(device), targets, weights, masked_inputs)

    def _select_items(self, row_indices: RowIndices) -> Sequence[Any]:
        if isinstance(self.items, ArrayRows):
            return self.items.select(row_indices)
        return [self.items[row] for row in row_indices]


def build_epoch_batches(
    rows: RowIndices, lengths: NDArray[np.int64], batch_size: int, length_buckets: int, seed: int, epoch: int
) -> list[RowIndices]:
    """Return the batches of an epoch: every row once, similar lengths per batch, determined by seed and epoch.

    Rows are shuffled, split into buckets of `length_buckets` batches, sorted by length within each bucket, split
    into batches, and the batches are shuffled.

    Args:
        rows: `(n,)`, int64: indices of the examples.
        lengths: `(examples,)`, int64: length of each example of the corpus.
        batch_size: Examples per batch; the last batch may be smaller.
        length_buckets: Batches per bucket; 1 disables sorting.
        seed: The seed of the run.
        epoch: The epoch, counted from 0.
    """
    random = np.random.default_rng(derive_seed(seed, "order", epoch))
    shuffled = random.permutation(rows)
    batches: list[RowIndices] = []
    bucket_size = batch_size * length_buckets
    for start in range(0, len(shuffled), bucket_size):
        bucket_rows = shuffled[start : start + bucket_size]
        if length_buckets > 1:
            bucket_rows = bucket_rows[np.argsort(lengths[bucket_rows], kind="stable")]
        batches += [bucket_rows[offset : offset + batch_size] for offset in range(0, len(bucket_rows), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def build_length_batches(rows: RowIndices, lengths: NDArray[np.int64], batch_size: int) -> list[RowIndices]:
    """Split rows, sorted by length, into batches for evaluation, of a single length each where possible."""
    sorted_rows = rows[np.argsort(lengths[rows], kind="stable")]
    batches: list[RowIndices] = []
    start = 0
    while start < len(sorted_rows):
        stop = min(start + batch_size, len(sorted_rows))
        # A batch without padding is fastest, unless it is much smaller than `batch_size`.
        same_length_stop = start + int(
            np.searchsorted(lengths[sorted_rows[start:stop]], lengths[sorted_rows[start]], side="right")
        )
        stop = same_length_stop if same_length_stop - start >= batch_size // 4 else stop
        batches.append(sorted_rows[start:stop])
        start = stop
    return batches
