"""Targets per example are stored in few bytes, and returned as they were."""

import pytest
import torch

from mtl_core.data.targets import ExampleTargets

ROWS = torch.tensor([2, 0])


@pytest.mark.parametrize(
    ("largest", "stored"),
    [(1, torch.int8), (127, torch.int8), (128, torch.int16), (40_000, torch.int32), (2**40, torch.int64)],
)
def test_codes_are_stored_in_the_smallest_dtype(largest: int, stored: torch.dtype) -> None:
    table = torch.tensor([[-1, 0], [0, 1], [largest, -1]])
    targets = ExampleTargets(table)
    assert targets.table.dtype == stored
    batch = targets.get_targets(ROWS, None, None)
    assert batch.dtype == torch.int64
    assert torch.equal(batch, table[ROWS])


def test_numbers_stay_floats() -> None:
    table = torch.tensor([[0.5], [float("nan")], [2.0]])
    targets = ExampleTargets(table)
    assert targets.table.dtype == torch.float32
    torch.testing.assert_close(targets.get_targets(ROWS, None, None), table[ROWS])
