"""Suggestions follow from significant measurements and from nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from related import measure, related_config

from mtl_core.config.experiment import Interactions
from mtl_core.interactions.measured import Division, Helper, Measured, measured
from mtl_core.interactions.suggestions import sentences, suggestions
from mtl_core.runs.run import run_experiment
from mtl_core.training.interactions import InteractionObserver

AUXILIARY = [
    {"type": "inverse", "name": "friend", "label": "up-too", "kind": "regression", "head": "read-out"},
    {"type": "inverse", "name": "foe", "label": "down", "kind": "regression", "head": "read-out"},
]


@pytest.mark.parametrize("affinity", [True, False])
def test_the_right_division_is_found(tmp_path: Path, affinity: bool) -> None:
    found = measure(tmp_path, "up", "down", "up-too", interactions={"every": 1, "affinity": affinity})
    assert set(found["groups"]) == {"2", "3"}
    for division in found["groups"].values():
        assert division["networks"] == [["up", "up-too"], ["down"]]
        assert division["by"] == ("affinity" if affinity else "cosine")
        assert division["gain"] > 2 * division["error"] > 0
        assert division["steps"] == 13  # every second one of 27, the first being used to choose
    [said] = found["suggestions"]
    assert "up, up-too | down" in said
    assert "27 observed steps" in said
    if affinity:
        assert said.startswith("candidates for separate networks: ")
        assert "a hint, not a proof" in said
    else:
        assert said.startswith("tasks with aligned gradients: ")
        assert "Cosines are weak evidence" in said


def test_equal_tasks_stay_together(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", "up-too")
    assert found["groups"]["2"]["networks"] == [["up", "up-too"]]
    assert "no grouping is better than one network for all" in found["suggestions"][0]


def test_how_many_networks_is_a_setting(tmp_path: Path) -> None:
    settings = {"every": 1, "affinity": True, "networks": 2}
    found = measure(tmp_path, "up", "down", "up-too", "aside", interactions=settings)
    assert set(found["groups"]) == {"2"}


def test_of_few_steps_nothing_is_told(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", "down", interactions={"every": 9, "affinity": True}, auxiliary=AUXILIARY)
    assert found["observed"] == 3
    assert len(found["suggestions"]) == 3
    for sentence in found["suggestions"]:
        assert "no conclusion from 3 steps" in sentence


def test_auxiliary_tasks_are_told_by_what_they_do_to_main_ones(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", "aside", auxiliary=AUXILIARY, training={"epochs": 8, "batch_size": 8})
    assert found["tasks"] == ["up", "aside", "friend", "foe"]
    assert all(name not in str(found["groups"]) for name in ("friend", "foe"))
    friend, foe = found["auxiliary"]["friend"], found["auxiliary"]["foe"]
    assert friend["cosine"] > 0 > foe["cosine"]
    assert friend["affinity"] > 0 > foe["affinity"]
    assert foe["conflicts"] > 0.5 > friend["conflicts"]
    of_friend, of_foe = found["suggestions"][1:]
    assert of_friend.startswith("auxiliary task friend: no reason to leave it out; ")
    assert of_foe.startswith("auxiliary task foe: a candidate to leave out; ")
    for sentence in (of_friend, of_foe):
        assert "72 steps" in sentence
        assert sentence.endswith("`mtl ablate` shows whether it helps")


def test_without_affinity_a_task_that_points_the_other_way_is_named_with_weaker_words(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", auxiliary=AUXILIARY, interactions={"every": 1})
    assert found["groups"] is None  # one main task
    assert found["auxiliary"]["friend"]["affinity"] is None
    friend, foe = found["suggestions"]
    assert friend.startswith("auxiliary task friend: no conclusion")
    assert foe.startswith("auxiliary task foe: a weak candidate to leave out; its gradient opposes")
    assert "in 100% of 27 steps" in foe


def test_of_one_main_task_the_cosine_is_that_of_the_pair(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", auxiliary=AUXILIARY)
    for place, name in ((1, "friend"), (2, "foe")):
        helper = found["auxiliary"][name]
        assert helper["cosine"] == pytest.approx(found["cosine"][0][place], rel=1e-4)
        assert helper["conflicts"] == found["conflicts"][0][place]
        assert helper["affinity"] == pytest.approx(found["affinity"][place][0], rel=1e-4)
        assert helper["affinity_error"] == pytest.approx(found["affinity_error"][place][0], rel=1e-3)


# ── significant and not significant ──

HELPER = Helper(100, 0.0, 0.01, 0.5, 0.0, 0.001, 100)


def told(tmp_path: Path, **figures: Any) -> str:
    """Return the suggestion for an auxiliary task with these measurements."""
    empty = Measured(["a", "b"], 100, *([] for _ in range(6)), None, None, None, {"b": replace(HELPER, **figures)})
    [sentence] = suggestions(empty)
    return sentence


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"affinity": -0.0021}, "a candidate to leave out"),
        ({"affinity": -0.0019}, "no conclusion"),
        ({"affinity": 0.0021}, "no reason to leave it out"),
        ({"affinity": -0.1, "affinity_steps": 9}, "no conclusion"),
        ({"affinity": -0.1, "affinity_error": None, "affinity_steps": 1}, "no conclusion"),
        ({"conflicts": 0.61}, "a weak candidate to leave out"),
        ({"conflicts": 0.59}, "no conclusion"),
        ({"conflicts": 1.0, "steps": 9}, "no conclusion"),
        ({"conflicts": 1.0, "affinity": 0.1}, "no reason to leave it out"),
        ({"conflicts": None, "cosine": None, "steps": 0, "affinity": None, "affinity_steps": 0}, "from 0 steps"),
    ],
)
def test_two_standard_errors_and_ten_steps(tmp_path: Path, figures: dict[str, Any], expected: str) -> None:
    assert expected in told(tmp_path, **figures)


@pytest.mark.parametrize(
    ("gain", "error", "steps", "expected"),
    [
        (0.021, 0.01, 50, "candidates for separate networks"),
        (0.019, 0.01, 50, "no conclusion; the best grouping is a | b"),
        (0.021, None, 50, "no conclusion; the best grouping is a | b"),
        (0.021, 0.01, 4, "no conclusion from 100 steps"),
        (-0.1, 0.01, 50, "no conclusion; the best grouping is a | b"),
    ],
)
def test_a_division_must_prove_itself_on_other_steps(
    gain: float, error: float | None, steps: int, expected: str
) -> None:
    division = Division([["a"], ["b"]], "affinity", gain, error, steps, 0)
    found = Measured(["a", "b"], 100, *([] for _ in range(6)), None, None, {"2": division}, {})
    [sentence] = suggestions(found)
    assert expected in sentence


def observed(tasks: int, steps: Iterable[NDArray[np.float64]]) -> InteractionObserver:
    """Return an observer that has recorded affinities only."""
    names = [f"t{task}" for task in range(tasks)]
    observer = InteractionObserver(names, tasks, Interactions(affinity=True), 1)
    for step, affinity in enumerate(steps):
        observer.affinity.add(torch.from_numpy(affinity), step)
        observer.observed += 1
    return observer


def test_what_one_half_of_the_steps_chooses_the_other_half_checks() -> None:
    together = np.array([[0.0, 1, -1], [1, 0, -1], [-1, -1, 0]])  # t0 and t1 help each other in every second step
    apart = np.full((3, 3), 0.5)
    found = measured(observed(3, [matrix for _ in range(10) for matrix in (together, apart)])).groups
    assert found is not None
    assert found["2"].networks == [["t0", "t1"], ["t2"]]
    # On the other steps: two tasks at 0.5 and a single one at 0, against three at 0.5.
    assert found["2"].gain == pytest.approx(2 * 0.5 - 3 * 0.5)


def test_noise_is_seldom_taken_for_more() -> None:
    """The best of 1,094 groupings is always clearly better than none on the steps that selected it."""
    random = np.random.default_rng(0)
    bold = 0
    for _ in range(100):
        found = measured(observed(8, random.normal(size=(30, 8, 8))))
        bold += "candidates for separate networks" in suggestions(found)[0]
    assert bold <= 8


def test_pairs_that_never_met_are_mentioned() -> None:
    division = Division([["a", "b"], ["c"]], "affinity", 1.0, 0.1, 50, 1)
    found = Measured(["a", "b", "c"], 100, *([] for _ in range(6)), None, None, {"2": division}, {})
    assert "1 pair of tasks was never observed together" in suggestions(found)[0]


def test_conflicts_are_named_if_they_are_no_chance(tmp_path: Path) -> None:
    config = related_config(tmp_path, "up", "up-too", "down", interactions={"every": 1})
    report = run_experiment(config, tmp_path / "run")
    assert report.interactions is not None
    first, second, *others = sentences(report.interactions)
    assert first.startswith("conflict: up")
    assert "against down: mean cosine -0." in first
    assert "negative in 100% of 27 steps" in first
    assert second.startswith("conflict: up")
    assert not any(sentence.startswith("conflict") for sentence in others)


def test_without_conflicts_that_is_said(tmp_path: Path) -> None:
    report = run_experiment(related_config(tmp_path, "up", "up-too"), tmp_path / "run")
    assert report.interactions is not None
    assert (
        sentences(report.interactions)[0] == "conflicts: no significant conflict between the gradients of two tasks"
    )
