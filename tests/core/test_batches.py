import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.builtins.encoders.modules.array import StandardisedArrays
from mtl_core.data.batches import Examples, build_epoch_batches, build_length_batches
from mtl_core.data.targets import ExampleTargets

Lengths = np.ndarray


@st.composite
def draw_tables(draw: st.DrawFn) -> tuple[np.ndarray, Lengths]:
    """Draw the indices of some examples, in any order, and the lengths of all examples."""
    lengths = np.array(draw(st.lists(st.integers(1, 60), min_size=1, max_size=200)), dtype=np.int64)
    row_set = draw(st.sets(st.integers(0, len(lengths) - 1)))
    return np.array(draw(st.permutations(sorted(row_set))), dtype=np.int64), lengths


sizes = st.integers(1, 40)


@settings(max_examples=80, deadline=None)
@given(draw_tables(), sizes, st.integers(1, 8), st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_an_epoch_visits_every_row_exactly_once(
    table: tuple[np.ndarray, Lengths], size: int, buckets: int, seed: int, epoch: int
) -> None:
    rows, lengths = table
    rng_states = [repr(np.random.get_state()), repr(random.getstate()), repr(torch.get_rng_state().tolist())]
    batches = build_epoch_batches(rows, lengths, size, buckets, seed, epoch)
    assert sorted(row for batch in batches for row in batch.tolist()) == sorted(rows.tolist())
    assert all(1 <= len(batch) <= size for batch in batches)
    assert len(batches) == -(-len(rows) // size)
    repeated_batches = build_epoch_batches(rows, lengths, size, buckets, seed, epoch)
    assert [batch.tolist() for batch in repeated_batches] == [batch.tolist() for batch in batches]
    assert [
        repr(np.random.get_state()),
        repr(random.getstate()),
        repr(torch.get_rng_state().tolist()),
    ] == rng_states


@pytest.mark.parametrize("buckets", [1, 4])
def test_each_epoch_and_each_seed_has_a_different_order(buckets: int) -> None:
    rows, lengths = np.arange(64), np.ones(64, dtype=np.int64)
    orders = {
        tuple(np.concatenate(build_epoch_batches(rows, lengths, 8, buckets, seed, epoch)).tolist())
        for seed in range(3)
        for epoch in range(10)
    }
    assert len(orders) == 30


def count_padding(batches: list[np.ndarray], lengths: Lengths) -> int:
    return sum(int(lengths[batch].max() * len(batch) - lengths[batch].sum()) for batch in batches)


@pytest.mark.parametrize("seed", range(3))
def test_length_buckets_reduce_padding_and_shuffle(seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 60, 2000)
    rows = np.arange(2000)
    paddings = [
        count_padding(build_epoch_batches(rows, lengths, 32, buckets, seed, 0), lengths) for buckets in (1, 4, 16)
    ]
    assert paddings[1] < paddings[0] / 2
    assert paddings[2] < paddings[1] / 2
    # Batches are not sorted by length.
    means = [lengths[batch].mean() for batch in build_epoch_batches(rows, lengths, 32, 16, seed, 0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


@settings(max_examples=80, deadline=None)
@given(draw_tables(), sizes)
def test_evaluation_batches_cover_every_row_once_sorted_by_length(table: tuple[np.ndarray, Lengths], size: int) -> None:
    rows, lengths = table
    batches = build_length_batches(rows, lengths, size)
    assert sorted(row for batch in batches for row in batch.tolist()) == sorted(rows.tolist())
    assert all(1 <= len(batch) <= size for batch in batches)
    ordered = [int(lengths[row]) for batch in batches for row in batch]
    assert ordered == sorted(ordered)


def test_evaluation_batches_of_equal_lengths_have_no_padding() -> None:
    lengths = np.repeat(np.arange(1, 11), 320)
    batches = build_length_batches(np.random.default_rng(0).permutation(3200), lengths, 256)
    assert count_padding(batches, lengths) == 0
    assert len(batches) == 20


def test_batch_keeps_the_order_of_its_rows() -> None:
    inputs = [np.array([row, -row], dtype=np.float32) for row in range(6)]
    targets = [ExampleTargets(torch.arange(6).unsqueeze(1)), ExampleTargets(torch.arange(12).view(6, 2))]
    encoder = StandardisedArrays(standardise=False)
    encoder.fit(encoder.parse(inputs))
    examples = Examples(encoder, encoder.encode(encoder.parse(inputs)), np.ones(6, dtype=np.int64), targets)
    batch = examples.build_batch(np.array([4, 0, 5]), torch.device("cpu"))
    assert batch.inputs[:, 0].tolist() == [4, 0, 5]
    assert batch.targets[0].tolist() == [[4], [0], [5]]
    assert batch.targets[1].tolist() == [[8, 9], [0, 1], [10, 11]]
    assert list(batch.weights) == [None, None]
    assert not batch.masked_inputs
