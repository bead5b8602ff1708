"""Sampling of data sets: shares are exact, no example is skipped, and every order is reproducible."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from own_samplings import Stated
from test_training import Interrupt, InterruptAfter, results
from token_parts import PLUGIN, blocks, tasks
from toy import toy_config

from mtl_core import MtlError
from mtl_core.builtins.samplings import Annealed, Proportional, RoundRobin, Temperature, Uniform
from mtl_core.runs.prepare import Prepared, prepare
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.specs import SamplingSpec
from mtl_core.training.order import training_order

PLUGINS = [str(Path(__file__).with_name(name).resolve()) for name in ("toy.py", "own_samplings.py")]
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


def stated_counts(shares: Callable[[float], Sequence[float]], steps: int, total: int) -> np.ndarray[Any, Any]:
    """Compute the expected number of draws of each data set after each step, `(steps, sources)`."""
    table = np.array([shares(step / (total - 1)) for step in range(steps)], dtype=np.float64)
    return (table / table.sum(axis=1, keepdims=True)).cumsum(axis=0)


def drawn_counts(draws: np.ndarray[Any, Any], sources: int) -> np.ndarray[Any, Any]:
    return np.eye(sources)[draws].cumsum(axis=0)


def draw(strategy: SamplingSpec, batches: Sequence[int], total: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.asarray(strategy.draws(batches, range(total), total, seed))


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_drawn_follows_the_stated_shares_at_every_moment(name: str) -> None:
    strategy, shares = STRATEGIES[name]
    drawn = drawn_counts(draw(strategy, BATCHES, DRAWS), 4)
    stated = stated_counts(shares, DRAWS, DRAWS)
    assert np.abs(drawn[-1] - stated[-1]).max() / DRAWS < 0.001  # a tenth of the documented tolerance
    assert np.abs(drawn - stated).max() < 32  # within a window of 64 draws, the order is random
    ends = np.arange(sum(BATCHES) - 1, DRAWS, sum(BATCHES))
    assert np.abs(drawn - stated)[ends].max() < 2  # after whole epochs, counts match the shares


def test_temperature_and_annealing_have_the_known_ends() -> None:
    assert Temperature(temperature=1.0).shares(BATCHES, 0.5) == BATCHES
    flat = np.array(Temperature(temperature=1e6).shares(BATCHES, 0.5))
    assert np.ptp(flat) < 1e-4
    assert Annealed(start=1.0, end=0.0).shares(BATCHES, 0.0) == BATCHES
    assert Annealed(start=1.0, end=0.0).shares(BATCHES, 1.0) == [1.0] * 4
    early, late = np.split(draw(Annealed(start=1.0, end=0.0), BATCHES, DRAWS), 2)
    assert Counter(early.tolist())[2] > Counter(late.tolist())[2] + 500


@settings(max_examples=60, deadline=None)
@given(
    shares=st.lists(
        st.sampled_from([0.0, 1e-6, 0.1, 0.5, 1.0, 3.0, 1e9]) | st.floats(0, 10), min_size=1, max_size=6
    ),
    batches=st.data(),
    seed=st.integers(0, 2**31),
)
def test_any_shares_are_kept(shares: list[float], batches: st.DataObject, seed: int) -> None:
    sizes = batches.draw(st.lists(st.integers(1, 30), min_size=len(shares), max_size=len(shares)))
    if not any(shares):
        with pytest.raises(MtlError, match="returned the shares"):
            draw(Stated(values=shares), sizes, 100)
        return
    total = 600
    draws = draw(Stated(values=shares), sizes, total, seed)
    assert draws.shape == (total,)
    drawn, stated = drawn_counts(draws, len(shares)), stated_counts(lambda _: shares, total, total)
    assert np.abs(drawn[-1] - stated[-1]).max() <= 2
    assert np.abs(drawn - stated).max() <= 34
    never = [place for place, share in enumerate(shares) if share == 0]
    assert not np.isin(draws, never).any()
    assert np.array_equal(draws, draw(Stated(values=shares), sizes, total, seed))


def test_a_small_share_is_not_lost_at_the_end_of_each_epoch() -> None:
    """With three batches per epoch, the remainder of one epoch carries over to the next."""
    draws = draw(Stated(values=[0.5, 0.3, 0.2]), [1, 1, 1], 3000)
    assert [Counter(draws.tolist())[place] for place in range(3)] == pytest.approx([1500, 900, 600], abs=2)
    rare = draw(Stated(values=[0.99, 0.01]), [1, 1], 2000)
    assert Counter(rare.tolist())[1] == pytest.approx(20, abs=1)


def test_another_seed_is_another_order_of_the_same_shares() -> None:
    first, second = draw(Uniform(), BATCHES, 500, 1), draw(Uniform(), BATCHES, 500, 2)
    assert not np.array_equal(first, second)
    assert sorted(first.tolist()) == sorted(second.tolist())


def test_round_robin_takes_turns_from_one_epoch_to_the_next() -> None:
    assert draw(RoundRobin(), [4, 1, 2], 9).tolist() == [0, 1, 2] * 3
    assert np.asarray(RoundRobin().draws([4, 1, 2], range(7, 14), 14, 0)).tolist() == [1, 2, 0, 1, 2, 0, 1]


# ── whole epochs ──

SETS = {"a-large": 45, "b-mid": 17, "c-small": 6}
"""Number of rows of each data set, in the order of the file."""


def sets(sizes: dict[str, int] = SETS) -> dict[str, Any]:
    return {
        name: {"type": "toy", "rows": rows, "seed": place, "labelled": 1.0}
        for place, (name, rows) in enumerate(sizes.items())
    }


def prepared_for(folder: Path, sampling: Any, **changed: Any) -> tuple[Any, Prepared]:
    blocks = {
        "data": None,
        "data_sets": sets(),
        "plugins": PLUGINS,
        "sampling": sampling,
        "split": "predefined",
        "training": {"epochs": 6, "batch_size": 4},
        **changed,
    }
    config = toy_config(folder, **blocks)
    return config, prepare(config)


def epochs_of(config: Any, prepared: Prepared, wanted: Sequence[int]) -> list[list[list[int]]]:
    """Return the rows of each batch of some epochs, by a new batch sampler."""
    order = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    return [[batch.tolist() for batch in order.epoch(epoch)] for epoch in wanted]


EVERY_SAMPLING: list[Any] = [
    "proportional",
    "uniform",
    "round-robin",
    "temperature",
    "annealed",
    {"type": "stated", "values": [1.0, 2.0, 0.5]},
    "by-turns",
]


@pytest.mark.parametrize("sampling", EVERY_SAMPLING, ids=str)
def test_an_epoch_is_a_function_of_the_seed_and_its_number(tmp_path: Path, sampling: Any) -> None:
    config, prepared = prepared_for(tmp_path, sampling)
    straight = epochs_of(config, prepared, range(6))
    for epoch in (5, 0, 3):
        assert epochs_of(config, prepared, [epoch]) == [straight[epoch]]
    assert epochs_of(config, prepared, [4, 1, 4]) == [straight[4], straight[1], straight[4]]
    steps = sum(-(-rows // 4) for rows in SETS.values())
    assert {len(epoch) for epoch in straight} == {steps}
    if sampling != "by-turns":
        assert len({str(epoch) for epoch in straight}) == 6
    other, again = prepared_for(tmp_path, sampling, seed=2)
    assert epochs_of(other, again, range(6)) != straight


@pytest.mark.parametrize("sampling", EVERY_SAMPLING, ids=str)
def test_batches_never_mix_data_sets_and_each_data_set_goes_round(tmp_path: Path, sampling: Any) -> None:
    """No example is drawn a third time before every other one was drawn a second time."""
    config, prepared = prepared_for(tmp_path, sampling)
    seen: Counter[int] = Counter()
    rows_of = {name: {row for row, source in enumerate(prepared.corpus.sources) if source == name} for name in SETS}
    for batch in (batch for epoch in epochs_of(config, prepared, range(6)) for batch in epoch):
        (source,) = {prepared.corpus.sources[row] for row in batch}
        seen.update(batch)
        counts = [seen[row] for row in rows_of[source]]
        assert max(counts) - min(counts) <= 1
        assert len({*batch}) == len(batch)
    if sampling not in ("proportional", "by-turns"):
        rounds = {name: min(seen[row] for row in rows) for name, rows in rows_of.items()}
        assert rounds["c-small"] > rounds["a-large"] or "stated" in str(sampling)


@pytest.mark.parametrize("sampling", ["proportional", "by-turns"])
def test_in_proportion_an_epoch_visits_every_example_once(tmp_path: Path, sampling: str) -> None:
    config, prepared = prepared_for(tmp_path, sampling)
    for epoch in epochs_of(config, prepared, range(6)):
        assert sorted(row for batch in epoch for row in batch) == list(range(sum(SETS.values())))


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5))
def test_in_proportion_whole_epochs_come_out_even_for_any_sizes(sizes: list[int]) -> None:
    total = sum(sizes)
    for epoch in np.split(draw(Proportional(), sizes, 5 * total), 5):
        assert np.bincount(epoch, minlength=len(sizes)).tolist() == sizes


def test_a_data_set_that_has_run_dry_begins_again_in_another_order(tmp_path: Path) -> None:
    config, prepared = prepared_for(tmp_path, {"type": "stated", "values": [0.0, 0.0, 1.0]})
    batches = [batch for epoch in epochs_of(config, prepared, range(6)) for batch in epoch]
    passes = [batches[start] + batches[start + 1] for start in range(0, len(batches), 2)]
    assert all(sorted(rows) == list(range(62, 68)) for rows in passes)
    assert len({tuple(rows) for rows in passes}) > 5


def test_what_is_drawn_seldom_goes_on_where_it_stopped(tmp_path: Path) -> None:
    config, prepared = prepared_for(tmp_path, {"type": "stated", "values": [1.0, 0.0, 10.0]})
    batches = [batch for epoch in epochs_of(config, prepared, range(6)) for batch in epoch]
    large = [row for batch in batches for row in batch if prepared.corpus.sources[row] == "a-large"]
    assert len({*large}) == len(large) > 30  # no duplicates over several epochs


# ── runs ──


NUMBERS: dict[str, Any] = {"data_sets": sets({"a": 40, "b": 9}), "sampling": "uniform"}
TEXTS: dict[str, Any] = blocks(
    data=None,
    data_sets={
        "a": {"type": "sentences", "rows": 40, "test_rows": 0, "columns": ["wet"]},
        "b": {"type": "sentences", "rows": 10, "test_rows": 3, "seed": 2, "columns": ["tags"], "weighted": True},
    },
    tasks=tasks("wet", "tags", "hidden"),
    sampling="annealed",
)
"""The mask of hidden words is random, too."""


@pytest.mark.parametrize("kind", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_a_run_over_several_data_sets_can_be_cut_off_in_mid_epoch(tmp_path: Path, kind: dict[str, Any]) -> None:
    training = {"epochs": 3, "batch_size": 8, "checkpoint_steps": 2}
    changed = {**kind, "plugins": [*PLUGINS, PLUGIN], "split": {"type": "random"}, "training": training}
    config = toy_config(tmp_path, **{"data": None, **changed})
    run_experiment(config, tmp_path / "whole")
    expected = results(tmp_path / "whole")
    for events in (1, 6, 9, 12):
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(events))
        with pytest.raises(Interrupt):
            resume_run(path, InterruptAfter(2))
        resume_run(path)
        assert results(path) == expected, f"interrupted at event {events}"


def test_a_strategy_of_a_plugin_is_used_and_kept_in_the_config(tmp_path: Path) -> None:
    config, _ = prepared_for(tmp_path, {"type": "stated", "values": [1, 0.5, 0.0]}, training={"epochs": 1})
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
def test_a_strategy_that_is_wrong_is_refused_by_name(tmp_path: Path, sampling: Any, message: str) -> None:
    config, _ = prepared_for(tmp_path, sampling)
    with pytest.raises(MtlError, match=message):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_strategies_have_bounds(tmp_path: Path) -> None:
    for sampling, message in (
        ({"type": "temperature", "temperature": 0.5}, "greater than or equal to 1"),
        ({"type": "annealed", "start": 1.5}, "less than or equal to 1"),
        ("propotional", "unknown sampling strategy 'propotional'; did you mean 'proportional'"),
    ):
        with pytest.raises(MtlError, match=message):
            prepared_for(tmp_path, sampling)
