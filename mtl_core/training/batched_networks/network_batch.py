"""The batch of a step for several networks: each reads the examples with a label for its task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.batches import Batch, RowIndices

MAX_GATHERED_SHARE = 0.5
"""Largest share of the examples of a batch that networks read as copies; above, all networks read the whole batch."""


@dataclass(frozen=True)
class NetworkBatch:
    """The examples of a batch that each network reads.

    Attributes:
        networks: The networks with a label in the batch, sorted, as indices into the live networks.
        rows: `(networks, examples)`, int64: the examples that each network reads, in the order of its separate
            training, padded with 0; None if each network reads all examples, some of which count for others only.
        is_read: `(networks, examples)`, bool: False for padding, and for examples that count for others only.
        batch: The inputs of the whole batch, and targets and weights of the examples, `(examples, live networks, ...)`.
        mask: `(examples, live networks)`, bool: the valid labels.
    """

    networks: Sequence[int]
    rows: torch.Tensor | None
    is_read: torch.Tensor
    batch: Batch
    mask: torch.Tensor

    @property
    def n_rows(self) -> list[int]:
        """Number of examples that each network reads."""
        counts: list[int] = self.is_read.sum(dim=1).tolist()
        return counts

    def place_masks(
        self, mask_groups: Sequence[tuple[Sequence[int], Sequence[torch.Tensor]]], positions: Mapping[int, int]
    ) -> list[torch.Tensor]:
        """Return dropout masks at the examples that each network reads, `(networks, examples, width)` per site.

        Args:
            mask_groups: Networks with the same masks, and these masks `(rows, width)` per site.
            positions: Network to its index in `networks`.
        """
        n_networks, n_examples = self.is_read.shape
        if len(mask_groups) == 1 and len(mask_groups[0][1][0]) == n_examples and len(mask_groups[0][0]) == n_networks:
            return [mask.expand(n_networks, -1, -1) for mask in mask_groups[0][1]]
        stacked_masks = [torch.zeros(n_networks, n_examples, mask.shape[1]) for mask in mask_groups[0][1]]
        for networks, masks in mask_groups:
            for network in networks:
                position = positions[network]
                for table, mask in zip(stacked_masks, masks, strict=True):
                    if self.rows is not None:
                        table[position, : len(mask)] = mask
                    else:
                        table[position, self.is_read[position]] = mask
        return stacked_masks


def select_network_batch(batch: Batch, mask: torch.Tensor, is_labelled: NDArray[np.bool_]) -> NetworkBatch | None:
    """Select the examples that each network reads.

    Args:
        batch: The batch, with one head group whose tasks are those of the live networks.
        mask: `(batch, live networks)`, bool: the valid labels.
        is_labelled: `(batch, live networks)`, bool: the examples in the batches of each network. Some of their labels
            may have weight 0.

    Returns:
        The batch; None if no network has a label.
    """
    has_label = mask.any(dim=0)
    networks = has_label.nonzero()[:, 0].tolist()
    if not networks:
        return None
    is_read = torch.from_numpy(is_labelled).to(mask.device).T[has_label]
    n_rows = int(is_read.sum(dim=1).max())
    if n_rows > MAX_GATHERED_SHARE * len(mask):
        return NetworkBatch(networks, None, is_read, batch, mask)
    # A stable sort of "is not read": the examples of each network first, in the order of the batch.
    rows = torch.sort((~is_read).to(torch.int8), dim=1, stable=True).indices[:, :n_rows]
    is_gathered = is_read.gather(1, rows)
    rows = torch.where(is_gathered, rows, 0)
    n_live = mask.shape[1]
    columns = torch.tensor(networks, device=mask.device)
    row_table = torch.zeros((n_rows, n_live), dtype=torch.long, device=mask.device)
    row_table[:, columns] = rows.T
    column_table = torch.arange(n_live, device=mask.device).expand(n_rows, -1)
    gathered_mask = torch.zeros((n_rows, n_live), dtype=torch.bool, device=mask.device)
    gathered_mask[:, columns] = (mask[row_table, column_table][:, columns]) & is_gathered.T
    (targets,), (weights,) = batch.targets, batch.weights
    gathered = Batch(
        batch.inputs,
        [targets[row_table, column_table]],
        [None if weights is None else weights[row_table, column_table]],
    )
    return NetworkBatch(networks, rows, is_gathered, gathered, gathered_mask)


def find_batch_rows(network_batch: NetworkBatch, network: int, indices: Sequence[int], rows: RowIndices) -> list[int]:
    """Return the rows of the corpus of some examples that a network reads.

    Args:
        network_batch: The batch.
        network: The network, as an index into the live networks.
        indices: The examples, as indices into `network_batch.mask`.
        rows: `(batch,)`, int64: the rows of the whole batch.
    """
    if network_batch.rows is None:
        return rows[list(indices)].tolist()  # type: ignore[no-any-return]
    selected = network_batch.rows[list(network_batch.networks).index(network)].cpu().numpy()
    return rows[selected[list(indices)]].tolist()  # type: ignore[no-any-return]
