"""Sampling of data sets: shares are exact, no example is skipped, and every order is reproducible."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from custom_samplers import FixedShares
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import Interrupt, InterruptAfter, read_results
from token_components import PLUGIN, build_experiment_blocks, build_task_blocks
from toy import toy_config

from mtl_core import MtlError
from mtl_core.builtins.samplings import Annealed, Proportional, RoundRobin, Temperature, Uniform
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.plugins.specs import SamplingSpec
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.training.batch_sampler import build_batch_sampler

PLUGINS = [str(Path(__file__).with_name(name).resolve()) for name in ("toy.py", "custom_samplers.py")]
BATCHES = [1, 3, 40, 6]
DRAWS = 10_000
STRATEGIES: dict[str, tuple[SamplingSpec, Callable[[float], list[float]]]] = {
    "proportional": (Proportional(), lambda progress: [1, 3, 40, 6]),
    "uniform": (Uniform(), lambda progress: [1, 1, 1, 1]),
    "round-robin": (RoundRobin(), lambda progress: [1, 1, 1, 1]),
    "temperature": (Temperature(temperature=2.0), lambda progress: [math.sqrt(size) for size in BATCHES]),
    "annealed": (
        Annealed(start=1.0, end=0.2),
        lambda progress: [size ** (1 - 0.8 * progress) for size in BATCHES],
    ),
}


def compute_expected_counts(shares: Callable[[float], Sequence[float]], steps: int, total: int) -> np.ndarray[Any, Any]:
    """Compute the expected number of draws of each data set after each step, `(steps, sources)`."""
    table = np.array([shares(step / (total - 1)) for step in range(steps)], dtype=np.float64)
    return np.cumsum(table / table.sum(axis=1, keepdims=True), axis=0)


def count_draws(draws: np.ndarray[Any, Any], sources: int) -> np.ndarray[Any, Any]:
    return np.cumsum(np.eye(sources)[draws], axis=0)


def sample_data_sets(strategy: SamplingSpec, batches: Sequence[int], total: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.asarray(strategy.choose_data_sets(batches, range(total), total, seed))


@pytest.mark.parametrize("name", STRATEGIES)
def test_draws_follow_the_shares_at_every_step(name: str) -> None:
    strategy, shares = STRATEGIES[name]
    counts = count_draws(sample_data_sets(strategy, BATCHES, DRAWS), 4)
    expected_counts = compute_expected_counts(shares, DRAWS, DRAWS)
    assert np.abs(counts[-1] - expected_counts[-1]).max() / DRAWS < 0.001  # a tenth of the documented tolerance
    assert np.abs(counts - expected_counts).max() < 32  # within a window of 64 draws, the order is random
    ends = np.arange(sum(BATCHES) - 1, DRAWS, sum(BATCHES))
    assert np.abs(counts - expected_counts)[ends].max() < 2  # after whole epochs, counts match the shares


def test_limits_of_temperature_and_annealing() -> None:
    assert Temperature(temperature=1.0).compute_shares(BATCHES, 0.5) == BATCHES
    flat = np.array(Temperature(temperature=1e6).compute_shares(BATCHES, 0.5))
    assert np.ptp(flat) < 1e-4
    assert Annealed(start=1.0, end=0.0).compute_shares(BATCHES, 0.0) == BATCHES
    assert Annealed(start=1.0, end=0.0).compute_shares(BATCHES, 1.0) == [1.0] * 4
    early, late = np.split(sample_data_sets(Annealed(start=1.0, end=0.0), BATCHES, DRAWS), 2)
    assert Counter(early.tolist())[2] > Counter(late.tolist())[2] + 500


@settings(max_examples=60, deadline=None)
@given(
    shares=st.lists(st.sampled_from([0.0, 1e-6, 0.1, 0.5, 1.0, 3.0, 1e9]) | st.floats(0, 10), min_size=1, max_size=6),
    batches=st.data(),
    seed=st.integers(0, 2**31),
)
def test_draws_follow_any_shares(shares: list[float], batches: st.DataObject, seed: int) -> None:
    sizes = batches.draw(st.lists(st.integers(1, 30), min_size=len(shares), max_size=len(shares)))
    if not any(shares):
        with pytest.raises(MtlError, match="returned the shares"):
            sample_data_sets(FixedShares(values=shares), sizes, 100)
        return
    total = 600
    draws = sample_data_sets(FixedShares(values=shares), sizes, total, seed)
    assert draws.shape == (total,)
    counts, expected_counts = (
        count_draws(draws, len(shares)),
        compute_expected_counts(lambda _: shares, total, total),
    )
    assert np.abs(counts[-1] - expected_counts[-1]).max() <= 2
    assert np.abs(counts - expected_counts).max() <= 34
    never = [index for index, share in enumerate(shares) if share == 0]
    assert not np.isin(draws, never).any()
    assert np.array_equal(draws, sample_data_sets(FixedShares(values=shares), sizes, total, seed))


def test_small_shares_carry_over_between_epochs() -> None:
    """With three batches per epoch, the remainder of one epoch carries over to the next."""
    draws = sample_data_sets(FixedShares(values=[0.5, 0.3, 0.2]), [1, 1, 1], 3000)
    assert [Counter(draws.tolist())[index] for index in range(3)] == pytest.approx([1500, 900, 600], abs=2)
    rare = sample_data_sets(FixedShares(values=[0.99, 0.01]), [1, 1], 2000)
    assert Counter(rare.tolist())[1] == pytest.approx(20, abs=1)


def test_another_seed_changes_the_order_and_not_the_counts() -> None:
    first, second = sample_data_sets(Uniform(), BATCHES, 500, 1), sample_data_sets(Uniform(), BATCHES, 500, 2)
    assert not np.array_equal(first, second)
    assert sorted(first.tolist()) == sorted(second.tolist())


def test_round_robin_continues_across_epochs() -> None:
    assert sample_data_sets(RoundRobin(), [4, 1, 2], 9).tolist() == [0, 1, 2] * 3
    assert np.asarray(RoundRobin().choose_data_sets([4, 1, 2], range(7, 14), 14, 0)).tolist() == [
        1,
        2,
        0,
        1,
        2,
        0,
        1,
    ]


# ── whole epochs ──

SETS = {"a-large": 45, "b-mid": 17, "c-small": 6}
"""Number of rows of each data set, in the order of the file."""


def build_data_sets(sizes: dict[str, int] = SETS) -> dict[str, Any]:
    return {
        name: {"type": "toy", "rows": rows, "seed": index, "labelled": 1.0}
        for index, (name, rows) in enumerate(sizes.items())
    }


def prepare_sampling(folder: Path, sampling: Any, **overrides: Any) -> tuple[Any, FittedData]:
    blocks = {
        "data": None,
        "data_sets": build_data_sets(),
        "plugins": PLUGINS,
        "sampling": sampling,
        "split": "predefined",
        "training": {"epochs": 6, "batch_size": 4},
        **overrides,
    }
    config = toy_config(folder, **blocks)
    return config, prepare(config)


def list_epochs(config: Any, prepared: FittedData, epochs: Sequence[int]) -> list[list[list[int]]]:
    """Return the rows of each batch of some epochs, by a new batch sampler."""
    batch_sampler = build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    return [[batch.tolist() for batch in batch_sampler.get_batches(epoch)] for epoch in epochs]


ALL_SAMPLINGS: list[Any] = [
    "proportional",
    "uniform",
    "round-robin",
    "temperature",
    "annealed",
    {"type": "stated", "values": [1.0, 2.0, 0.5]},
    "by-turns",
]


@pytest.mark.parametrize("sampling", ALL_SAMPLINGS, ids=str)
def test_an_epoch_is_a_function_of_the_seed_and_its_number(tmp_path: Path, sampling: Any) -> None:
    config, prepared = prepare_sampling(tmp_path, sampling)
    all_epochs = list_epochs(config, prepared, range(6))
    for epoch in (5, 0, 3):
        assert list_epochs(config, prepared, [epoch]) == [all_epochs[epoch]]
    assert list_epochs(config, prepared, [4, 1, 4]) == [all_epochs[4], all_epochs[1], all_epochs[4]]
    steps = sum(-(-rows // 4) for rows in SETS.values())
    assert {len(epoch) for epoch in all_epochs} == {steps}
    if sampling != "by-turns":
        assert len({str(epoch) for epoch in all_epochs}) == 6
    other_config, other_prepared = prepare_sampling(tmp_path, sampling, seed=2)
    assert list_epochs(other_config, other_prepared, range(6)) != all_epochs


@pytest.mark.parametrize("sampling", ALL_SAMPLINGS, ids=str)
def test_batches_have_one_data_set_and_cycle_through_it(tmp_path: Path, sampling: Any) -> None:
    """No example is drawn a third time before every other one was drawn a second time."""
    config, prepared = prepare_sampling(tmp_path, sampling)
    seen: Counter[int] = Counter()
    rows_of = {name: {row for row, source in enumerate(prepared.corpus.sources) if source == name} for name in SETS}
    for batch in (batch for epoch in list_epochs(config, prepared, range(6)) for batch in epoch):
        (source,) = {prepared.corpus.sources[row] for row in batch}
        seen.update(batch)
        counts = [seen[row] for row in rows_of[source]]
        assert max(counts) - min(counts) <= 1
        assert len({*batch}) == len(batch)
    if sampling not in ("proportional", "by-turns"):
        rounds = {name: min(seen[row] for row in rows) for name, rows in rows_of.items()}
        assert rounds["c-small"] > rounds["a-large"] or "stated" in str(sampling)


@pytest.mark.parametrize("sampling", ["proportional", "by-turns"])
def test_proportional_epoch_visits_every_example_once(tmp_path: Path, sampling: str) -> None:
    config, prepared = prepare_sampling(tmp_path, sampling)
    for epoch in list_epochs(config, prepared, range(6)):
        assert sorted(row for batch in epoch for row in batch) == list(range(sum(SETS.values())))


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5))
def test_proportional_epochs_are_exact_for_any_sizes(sizes: list[int]) -> None:
    total = sum(sizes)
    for epoch in np.split(sample_data_sets(Proportional(), sizes, 5 * total), 5):
        assert np.bincount(epoch, minlength=len(sizes)).tolist() == sizes


def test_exhausted_data_set_restarts_in_another_order(tmp_path: Path) -> None:
    config, prepared = prepare_sampling(tmp_path, {"type": "stated", "values": [0.0, 0.0, 1.0]})
    batches = [batch for epoch in list_epochs(config, prepared, range(6)) for batch in epoch]
    passes = [batches[start] + batches[start + 1] for start in range(0, len(batches), 2)]
    assert all(sorted(rows) == list(range(62, 68)) for rows in passes)
    assert len({tuple(rows) for rows in passes}) > 5


def test_rarely_sampled_data_set_continues_its_pass(tmp_path: Path) -> None:
    config, prepared = prepare_sampling(tmp_path, {"type": "stated", "values": [1.0, 0.0, 10.0]})
    batches = [batch for epoch in list_epochs(config, prepared, range(6)) for batch in epoch]
    large = [row for batch in batches for row in batch if prepared.corpus.sources[row] == "a-large"]
    assert len({*large}) == len(large) > 30  # no duplicates over several epochs


# ── runs ──


NUMBERS: dict[str, Any] = {"data_sets": build_data_sets({"a": 40, "b": 9}), "sampling": "uniform"}
TEXTS: dict[str, Any] = build_experiment_blocks(
    data=None,
    data_sets={
        "a": {"type": "sentences", "rows": 40, "test_rows": 0, "columns": ["wet"]},
        "b": {"type": "sentences", "rows": 10, "test_rows": 3, "seed": 2, "columns": ["tags"], "weighted": True},
    },
    tasks=build_task_blocks("wet", "tags", "hidden"),
    sampling="annealed",
)
"""The mask of hidden words is random, too."""


@pytest.mark.parametrize("kind", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_run_on_several_data_sets_can_be_interrupted_within_an_epoch(tmp_path: Path, kind: dict[str, Any]) -> None:
    training = {"epochs": 3, "batch_size": 8, "checkpoint_steps": 2}
    overrides = {**kind, "plugins": [*PLUGINS, PLUGIN], "split": {"type": "random"}, "training": training}
    config = toy_config(tmp_path, **{"data": None, **overrides})
    run_experiment(config, tmp_path / "whole")
    expected = read_results(tmp_path / "whole")
    for events in (1, 6, 9, 12):
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(events))
        with pytest.raises(Interrupt):
            resume_run(path, InterruptAfter(2))
        resume_run(path)
        assert read_results(path) == expected, f"interrupted at event {events}"


def test_custom_strategy_is_used_and_saved_in_the_config(tmp_path: Path) -> None:
    config, _ = prepare_sampling(tmp_path, {"type": "stated", "values": [1, 0.5, 0.0]}, training={"epochs": 1})
    run_experiment(config, tmp_path / "run")
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["sampling"] == {"type": "stated", "values": [1.0, 0.5, 0.0]}


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (
            {"type": "stated", "values": [1.0]},
            r"sampling strategy 'stated' returned the shares \[1\.0\], expected 3 numbers >= 0, at least one",
        ),
        (
            {"type": "stated", "values": [1.0, -1.0, 1.0]},
            r"'stated' returned the shares \[1\.0, -1\.0, 1\.0\], expected 3",
        ),
        (
            {"type": "stated", "values": [0.0, 0.0, 0.0]},
            r"'stated' returned the shares \[0\.0, 0\.0, 0\.0\], expected 3",
        ),
        (
            {"type": "wrong", "draw": 3},
            "'wrong' must draw one of 3 data sets, counted from 0, for each of 114 steps, but returned 3",
        ),
        ({"type": "wrong", "draw": -1}, "but returned -1"),
        ({"type": "wrong", "draw": 0, "short_of": 2}, "for each of 114 steps, but returned 112 of them"),
    ],
)
def test_invalid_strategy_is_refused_by_name(tmp_path: Path, sampling: Any, message: str) -> None:
    config, _ = prepare_sampling(tmp_path, sampling)
    with pytest.raises(MtlError, match=message):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_strategy_settings_have_bounds(tmp_path: Path) -> None:
    for sampling, message in (
        ({"type": "temperature", "temperature": 0.5}, "greater than or equal to 1"),
        ({"type": "annealed", "start": 1.5}, "less than or equal to 1"),
        ("propotional", "unknown sampling strategy 'propotional'; did you mean 'proportional'"),
    ):
        with pytest.raises(MtlError, match=message):
            prepare_sampling(tmp_path, sampling)
