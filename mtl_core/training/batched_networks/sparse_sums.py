"""Sums of rows of a large table, whose gradient is written to memory that is used again in the next step.

The gradient of `torch.nn.functional.embedding_bag` is a new tensor of zeros in each step. For the tables of a hundred
networks, this takes longer than all sums.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True)
class SparseRows:
    """Rows of a table to sum.

    Attributes:
        indices: `(entries,)`, int64: the rows, one sum after the other.
        starts: `(sums,)`, int64: where each sum starts in `indices`.
        sizes: `(sums,)`, int64: number of entries of each sum.
        values: `(entries,)`: the factor of each entry; None if all are 1.
    """

    indices: torch.Tensor
    starts: torch.Tensor
    sizes: torch.Tensor
    values: torch.Tensor | None


class GradientBuffer:
    """The memory of a gradient, which is valid until the next one is computed."""

    def __init__(self) -> None:
        self._table = torch.zeros(0)

    def add_rows(self, table: torch.Tensor, rows: SparseRows, gradients: torch.Tensor) -> torch.Tensor:
        """Return the gradient of a table.

        Args:
            table: `(rows, width)`: the table, for its size.
            rows: The rows that were summed.
            gradients: `(sums, width)`: the gradient of each sum.
        """
        if self._table.numel() < table.numel():
            self._table = torch.empty_like(table, requires_grad=False)
        gradient = self._table[: len(table)].zero_()
        entries = gradients.repeat_interleave(rows.sizes, dim=0)
        if rows.values is not None:
            entries = entries * rows.values.unsqueeze(1)
        return gradient.index_add_(0, rows.indices, entries)


def sum_rows(table: torch.Tensor, rows: SparseRows, buffer: GradientBuffer) -> torch.Tensor:
    """Return sums of rows of a table, `(sums, width)`; the gradient of the table is written to a buffer."""
    sums: torch.Tensor = _RowSums.apply(table, rows, buffer)  # type: ignore[no-untyped-call]
    return sums


class _RowSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, rows: SparseRows, buffer: GradientBuffer) -> torch.Tensor:
        ctx.rows, ctx.buffer = rows, buffer
        ctx.save_for_backward(table)
        return functional.embedding_bag(rows.indices, table, rows.starts, mode="sum", per_sample_weights=rows.values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (table,) = ctx.saved_tensors
        return ctx.buffer.add_rows(table, ctx.rows, gradients[0]), None, None
