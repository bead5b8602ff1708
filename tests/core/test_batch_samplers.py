"""Batch samplers on small row sets: every row once per pass, inserted and reduced batches, draws of data sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from custom_samplers import FixedShares, InvalidSampling
from toy import toy_config

from mtl_core.builtins.samplings import Annealed, Proportional, RoundRobin, Temperature, Uniform
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import Corpus
from mtl_core.data.splitting import Split
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SamplingSpec
from mtl_core.training.batch_sampler import (
    AuxiliarySampler,
    LabelledSampler,
    MultiSourceSampler,
    ShuffledSampler,
    build_batch_sampler,
)

LENGTHS = np.arange(200) % 7


def build_config(
    folder: Path, sampling: SamplingSpec | None = None, seed: int = 1, **training: Any
) -> ExperimentConfig:
    """Return an experiment with batches of 4 examples and 3 epochs."""
    config = toy_config(folder, training={"epochs": 3, "batch_size": 4, **training}, seed=seed)
    return config if sampling is None else config.model_copy(update={"sampling": sampling})


def build_rows(start: int, n: int) -> RowIndices:
    return np.arange(start, start + n, dtype=np.int64)


def flatten(batches: list[RowIndices]) -> list[int]:
    return [row for batch in batches for row in batch.tolist()]


@pytest.mark.parametrize(("n_rows", "n_batches"), [(1, 1), (4, 1), (5, 2), (10, 3)])
def test_shuffled_sampler_visits_each_row_once(tmp_path: Path, n_rows: int, n_batches: int) -> None:
    sampler = ShuffledSampler(build_config(tmp_path), build_rows(20, n_rows), LENGTHS)
    epochs = [sampler.get_batches(epoch) for epoch in range(3)]
    assert sampler.steps_per_epoch == n_batches
    for batches in epochs:
        assert len(batches) == n_batches
        assert sorted(flatten(batches)) == list(range(20, 20 + n_rows))
        assert all(len(batch) <= 4 for batch in batches)
    if n_rows == 10:
        assert flatten(epochs[0]) != flatten(epochs[1])
        assert flatten(sampler.get_batches(0)) == flatten(epochs[0])
        other_seed = ShuffledSampler(build_config(tmp_path, seed=2), build_rows(20, n_rows), LENGTHS)
        assert flatten(other_seed.get_batches(0)) != flatten(epochs[0])


def test_length_buckets_sort_rows_by_length(tmp_path: Path) -> None:
    """One bucket of all rows: each batch contains neighbours in the order of length."""
    sampler = ShuffledSampler(build_config(tmp_path, length_buckets=7), build_rows(0, 28), LENGTHS)
    assert sorted(LENGTHS[batch].tolist() for batch in sampler.get_batches(0)) == [[n] * 4 for n in range(7)]


class FixedBatches:
    """A batch sampler whose batches consist of the epoch and the step."""

    steps_per_epoch = 5

    def get_batches(self, epoch: int) -> list[RowIndices]:
        return [np.array([100 + 10 * epoch + step]) for step in range(5)]


def test_auxiliary_batches_are_inserted_between_main_batches(tmp_path: Path) -> None:
    sampler = AuxiliarySampler(build_config(tmp_path), FixedBatches(), build_rows(0, 10), LENGTHS)
    assert sampler.steps_per_epoch == 5 + 3
    steps_by_epoch = []
    for epoch in range(3):
        batches = sampler.get_batches(epoch)
        main_batches = [batch for batch in batches if batch[0] >= 100]
        auxiliary_batches = [batch for batch in batches if batch[0] < 100]
        assert flatten(main_batches) == flatten(FixedBatches().get_batches(epoch))
        assert sorted(flatten(auxiliary_batches)) == list(range(10))
        assert len(auxiliary_batches) == 3
        steps_by_epoch.append([step for step, batch in enumerate(batches) if batch[0] < 100])
        assert flatten(batches) == flatten(sampler.get_batches(epoch))
    assert len({tuple(steps) for steps in steps_by_epoch}) > 1


def test_order_and_steps_of_auxiliary_batches_depend_on_epoch_and_seed(tmp_path: Path) -> None:
    orders, steps = set(), set()
    for seed in (1, 2):
        sampler = AuxiliarySampler(build_config(tmp_path, seed=seed), FixedBatches(), build_rows(0, 40), LENGTHS)
        for epoch in range(3):
            batches = sampler.get_batches(epoch)
            orders.add(tuple(flatten([batch for batch in batches if batch[0] < 100])))
            steps.add(tuple(step for step, batch in enumerate(batches) if batch[0] < 100))
    assert len(orders) == len(steps) == 6


def test_auxiliary_batches_are_in_another_order_than_a_data_set_of_the_same_rows(tmp_path: Path) -> None:
    config, rows = build_config(tmp_path), build_rows(0, 40)
    auxiliary = AuxiliarySampler(config, FixedBatches(), rows, LENGTHS).get_batches(0)
    assert flatten([batch for batch in auxiliary if batch[0] < 100]) != flatten(
        ShuffledSampler(config, rows, LENGTHS).get_batches(0)
    )


def test_labelled_sampler_reduces_batches_without_labels_to_one_example() -> None:
    class Batches:
        steps_per_epoch = 3

        def get_batches(self, epoch: int) -> list[RowIndices]:
            return [np.array([3, 1, 4]), np.array([0, 2]), np.array([5])][epoch:]

    sampler = LabelledSampler(Batches(), np.array([False, True, False, False, True, True]))
    assert sampler.steps_per_epoch == 3
    assert [batch.tolist() for batch in sampler.get_batches(0)] == [[1, 4], [0], [5]]
    assert [batch.tolist() for batch in sampler.get_batches(1)] == [[0], [5]]


# ── several data sets ──

SOURCES = {"large": build_rows(0, 22), "small": build_rows(50, 6)}
"""Six batches and two batches."""


def build_sampler(folder: Path, sampling: SamplingSpec, seed: int = 1) -> MultiSourceSampler:
    return MultiSourceSampler(build_config(folder, sampling, seed), SOURCES, LENGTHS)


def test_proportional_sampling_visits_each_row_once_per_epoch(tmp_path: Path) -> None:
    sampler = build_sampler(tmp_path, Proportional())
    assert sampler.steps_per_epoch == 8
    expected = sorted(flatten(list(SOURCES.values())))
    for epoch in range(3):
        batches = sampler.get_batches(epoch)
        assert sorted(flatten(batches)) == expected
        assert all(len({row >= 50 for row in batch.tolist()}) == 1 for batch in batches)  # one data set per batch


def test_passes_continue_and_start_again(tmp_path: Path) -> None:
    """In turn: 12 batches per data set in 24 steps, so two passes of the large one and six of the small one."""
    sampler = build_sampler(tmp_path, RoundRobin())
    batches = [batch for epoch in range(3) for batch in sampler.get_batches(epoch)]
    assert [int(batch[0] >= 50) for batch in batches] == [0, 1] * 12
    large, small = batches[::2], batches[1::2]
    for start in (0, 6):
        assert sorted(flatten(large[start : start + 6])) == list(range(22))
    for start in range(0, 12, 2):
        assert sorted(flatten(small[start : start + 2])) == list(range(50, 56))
    assert flatten(large[:6]) != flatten(large[6:])
    assert flatten(sampler.get_batches(1)) == flatten(batches[8:16])  # in any order of calls
    assert flatten(build_sampler(tmp_path, RoundRobin()).get_batches(2)) == flatten(batches[16:])


def test_order_depends_on_the_seed_and_the_data_set(tmp_path: Path) -> None:
    first, second = build_sampler(tmp_path, RoundRobin(), 1), build_sampler(tmp_path, RoundRobin(), 2)
    assert flatten(first.get_batches(0)[::2]) != flatten(second.get_batches(0)[::2])
    draws = [
        [int(batch[0] >= 50) for batch in build_sampler(tmp_path, Uniform(), seed).get_batches(0)] for seed in (1, 2)
    ]
    assert draws[0] != draws[1]
    twins = {"a": build_rows(0, 24), "b": build_rows(70, 24)}
    batches = MultiSourceSampler(build_config(tmp_path, RoundRobin()), twins, LENGTHS).get_batches(0)
    assert flatten(batches[::2]) != [row - 70 for row in flatten(batches[1::2])]


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (InvalidSampling(draw=2), r"'wrong' must draw one of 2 data sets, .* for each of 24 steps, but returned 2"),
        (InvalidSampling(draw=-1), "but returned -1"),
        (InvalidSampling(draw=0, short_of=3), "but returned 21 of them"),
        (FixedShares(values=[0.0, 0.0]), "the sampling strategy 'stated' returned the shares"),
    ],
)
def test_invalid_draws_are_refused(tmp_path: Path, sampling: SamplingSpec, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        build_sampler(tmp_path, sampling).get_batches(0)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Proportional(), [1.0, 4.0, 9.0]),
        (Uniform(), [1.0, 1.0, 1.0]),
        (Temperature(temperature=2.0), [1.0, 2.0, 3.0]),
        (Annealed(start=1.0, end=0.0), [1.0, 2.0, 3.0]),
        (Annealed(start=0.5, end=0.5), [1.0, 2.0, 3.0]),
        (Annealed(start=0.0, end=1.0), [1.0, 2.0, 3.0]),
    ],
)
def test_shares_in_the_middle_of_the_training(sampling: SamplingSpec, expected: list[float]) -> None:
    assert sampling.compute_shares([1, 4, 9], 0.5) == expected


def test_annealing_changes_the_exponent_linearly() -> None:
    sampling = Annealed(start=1.0, end=0.5)
    assert [sampling.compute_shares([16], progress)[0] for progress in (0.0, 0.5, 1.0)] == [16.0, 8.0, 4.0]


def test_round_robin_continues_at_any_step() -> None:
    assert np.asarray(RoundRobin().choose_data_sets([9, 1, 2], range(4, 9), 99, 0)).tolist() == [1, 2, 0, 1, 2]


# ── choice of the sampler ──


def build_split(train: RowIndices, **keys: Any) -> Split:
    return Split(train, build_rows(0, 0), build_rows(0, 0), **keys)


def build_corpus(sources: list[str] | None = None) -> Corpus:
    rows = range(28)
    names = {"sources": sources} if sources else {}
    return Corpus(
        ids=[str(row) for row in rows],
        inputs=list(rows),
        labels={"t": ["a"] * 28},
        splits=["train"] * 28,
        **names,  # type: ignore[arg-type]
    )


def test_sampler_of_a_run_combines_auxiliary_rows_and_labelled_rows(tmp_path: Path) -> None:
    config, corpus = build_config(tmp_path), build_corpus()
    plain = build_batch_sampler(config, corpus, build_split(build_rows(0, 20)), LENGTHS)
    assert isinstance(plain, ShuffledSampler)
    mask = np.arange(28) % 2 == 0
    labelled = build_batch_sampler(config, corpus, build_split(build_rows(0, 20), label_mask=mask), LENGTHS)
    assert sorted(row for row in flatten(labelled.get_batches(0)) if mask[row]) == list(range(0, 20, 2))
    with_auxiliary = build_batch_sampler(
        config, corpus, build_split(build_rows(0, 20), auxiliary_only=build_rows(20, 5)), LENGTHS
    )
    assert sorted(flatten(with_auxiliary.get_batches(0))) == list(range(25))
    assert [row for row in flatten(with_auxiliary.get_batches(0)) if row < 20] == flatten(plain.get_batches(0))


@pytest.mark.parametrize("names", [["first", "second"], ["first", "second", "third"]])
def test_sampler_of_several_data_sets_leaves_out_sets_without_training_rows(tmp_path: Path, names: list[str]) -> None:
    toys = {name: {"type": "toy"} for name in names}
    config = toy_config(
        tmp_path, data=None, data_sets=toys, training={"epochs": 1, "batch_size": 4}, sampling="round-robin"
    )
    corpus = build_corpus(["first"] * 12 + ["second"] * 8 + [names[-1]] * 8)
    sampler = build_batch_sampler(config, corpus, build_split(build_rows(0, 20)), LENGTHS)
    batches = sampler.get_batches(0)
    assert sampler.steps_per_epoch == 3 + 2
    assert [{corpus.sources[row] for row in batch.tolist()} for batch in batches] == [
        {"first"},
        {"second"},
        {"first"},
        {"second"},
        {"first"},
    ]
