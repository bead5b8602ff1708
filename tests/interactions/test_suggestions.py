"""Suggestions follow from significant measurements and from nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from related import load_related_config, train_and_load_interactions

from mtl_core.artifacts.interactions import AuxiliaryInteraction, TaskGrouping, TaskInteractions
from mtl_core.config.training import InteractionConfig
from mtl_core.evaluation.interaction_suggestions import build_sentences, build_suggestions
from mtl_core.evaluation.task_interactions import summarize_interactions
from mtl_core.runs.run import run_experiment
from mtl_core.training.interaction_observer import InteractionObserver

AUXILIARY = [
    {"type": "auxiliary-target", "name": "friend", "label": "up-too", "kind": "regression", "head": "read-out"},
    {"type": "auxiliary-target", "name": "foe", "label": "down", "kind": "regression", "head": "read-out"},
]


@pytest.mark.parametrize("affinity", [True, False])
def test_correct_grouping_is_found(tmp_path: Path, affinity: bool) -> None:
    interactions = train_and_load_interactions(
        tmp_path, "up", "down", "up-too", interactions={"every_n_steps": 1, "affinity": affinity}
    )
    assert set(interactions["groupings"]) == {"2", "3"}
    for grouping in interactions["groupings"].values():
        assert grouping["networks"] == [["up", "up-too"], ["down"]]
        assert grouping["criterion"] == ("affinity" if affinity else "cosine")
        assert grouping["improvement"] > 2 * grouping["error"] > 0
        assert grouping["steps"] == 13  # every second one of 27, the first being used to choose
    [suggestion] = interactions["suggestions"]
    assert "up, up-too | down" in suggestion
    assert "27 observed steps" in suggestion
    if affinity:
        assert suggestion.startswith("candidates for separate networks: ")
        assert "a hint, not a proof" in suggestion
    else:
        assert suggestion.startswith("tasks with aligned gradients: ")
        assert "Cosines are weak evidence" in suggestion


def test_equal_tasks_share_a_network(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "up", "up-too")
    assert interactions["groupings"]["2"]["networks"] == [["up", "up-too"]]
    assert "no grouping is better than one network for all" in interactions["suggestions"][0]


def test_number_of_networks_is_configurable(tmp_path: Path) -> None:
    settings = {"every_n_steps": 1, "affinity": True, "max_groups": 2}
    interactions = train_and_load_interactions(tmp_path, "up", "down", "up-too", "aside", interactions=settings)
    assert set(interactions["groupings"]) == {"2"}


def test_few_steps_allow_no_conclusion(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(
        tmp_path, "up", "down", interactions={"every_n_steps": 9, "affinity": True}, auxiliary=AUXILIARY
    )
    assert interactions["observed_steps"] == 3
    assert len(interactions["suggestions"]) == 3
    for sentence in interactions["suggestions"]:
        assert "no conclusion from 3 steps" in sentence


def test_auxiliary_tasks_are_assessed_by_their_effect_on_main_tasks(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(
        tmp_path, "up", "aside", auxiliary=AUXILIARY, training={"epochs": 8, "batch_size": 8}
    )
    assert interactions["tasks"] == ["up", "aside", "friend", "foe"]
    assert all(name not in str(interactions["groupings"]) for name in ("friend", "foe"))
    helpful, harmful = interactions["auxiliary"]["friend"], interactions["auxiliary"]["foe"]
    assert helpful["cosine"] > 0 > harmful["cosine"]
    assert helpful["affinity"] > 0 > harmful["affinity"]
    assert harmful["conflicts"] > 0.5 > helpful["conflicts"]
    helpful_suggestion, harmful_suggestion = interactions["suggestions"][1:]
    assert helpful_suggestion.startswith("auxiliary task friend: no reason to leave it out; ")
    assert harmful_suggestion.startswith("auxiliary task foe: a candidate to leave out; ")
    for sentence in (helpful_suggestion, harmful_suggestion):
        assert "72 steps" in sentence
        assert sentence.endswith("`mtl ablate` shows whether it helps")


def test_opposing_task_without_affinity_is_a_weak_candidate(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "up", auxiliary=AUXILIARY, interactions={"every_n_steps": 1})
    assert interactions["groupings"] is None  # one main task
    assert interactions["auxiliary"]["friend"]["affinity"] is None
    helpful_suggestion, harmful_suggestion = interactions["suggestions"]
    assert helpful_suggestion.startswith("auxiliary task friend: no conclusion")
    assert harmful_suggestion.startswith("auxiliary task foe: a weak candidate to leave out; its gradient opposes")
    assert "in 100% of 27 steps" in harmful_suggestion


def test_auxiliary_values_of_one_main_task_are_those_of_the_pair(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "up", auxiliary=AUXILIARY)
    for index, name in ((1, "friend"), (2, "foe")):
        auxiliary_interaction = interactions["auxiliary"][name]
        assert auxiliary_interaction["cosine"] == pytest.approx(interactions["cosine"][0][index], rel=1e-4)
        assert auxiliary_interaction["conflicts"] == interactions["conflicts"][0][index]
        assert auxiliary_interaction["affinity"] == pytest.approx(interactions["affinity"][index][0], rel=1e-4)
        assert auxiliary_interaction["affinity_error"] == pytest.approx(
            interactions["affinity_error"][index][0], rel=1e-3
        )


# ── significant and not significant ──

AUXILIARY_INTERACTION = AuxiliaryInteraction(100, 0.0, 0.01, 0.5, 0.0, 0.001, 100)


def build_interactions(
    tasks: list[str], groupings: dict[str, TaskGrouping] | None, auxiliary: dict[str, AuxiliaryInteraction]
) -> TaskInteractions:
    """Return interactions without any measured pair of tasks."""
    return TaskInteractions(tasks, 100, [], [], [], [], [], [], None, None, groupings, auxiliary)


def suggest_for_auxiliary_task(tmp_path: Path, **measurements: Any) -> str:
    """Return the suggestion for an auxiliary task with these measurements."""
    interactions = build_interactions(["a", "b"], None, {"b": replace(AUXILIARY_INTERACTION, **measurements)})
    [sentence] = build_suggestions(interactions)
    return sentence


@pytest.mark.parametrize(
    ("measurements", "expected"),
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
def test_conclusions_need_two_standard_errors_and_ten_steps(
    tmp_path: Path, measurements: dict[str, Any], expected: str
) -> None:
    assert expected in suggest_for_auxiliary_task(tmp_path, **measurements)


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
def test_grouping_must_be_significant_on_evaluation_steps(
    gain: float, error: float | None, steps: int, expected: str
) -> None:
    grouping = TaskGrouping([["a"], ["b"]], "affinity", gain, error, steps, 0)
    interactions = build_interactions(["a", "b"], {"2": grouping}, {})
    [sentence] = build_suggestions(interactions)
    assert expected in sentence


def build_observer(n_tasks: int, steps: Iterable[NDArray[np.float64]]) -> InteractionObserver:
    """Return an observer that has recorded affinities only."""
    names = [f"t{task}" for task in range(n_tasks)]
    observer = InteractionObserver(names, n_tasks, InteractionConfig(affinity=True), 1)
    for step, affinity in enumerate(steps):
        observer.affinity.add(torch.from_numpy(affinity), step)
        observer.n_observed_steps += 1
    return observer


def test_grouping_is_selected_and_evaluated_on_different_steps() -> None:
    first_affinity = np.array([[0.0, 1, -1], [1, 0, -1], [-1, -1, 0]])  # t0 and t1 help each other in every second step
    second_affinity = np.full((3, 3), 0.5)
    groupings = summarize_interactions(
        build_observer(3, [matrix for _ in range(10) for matrix in (first_affinity, second_affinity)])
    ).groupings
    assert groupings is not None
    assert groupings["2"].networks == [["t0", "t1"], ["t2"]]
    # On the other steps: two tasks at 0.5 and a single one at 0, against three at 0.5.
    assert groupings["2"].improvement == pytest.approx(2 * 0.5 - 3 * 0.5)


def test_noise_rarely_yields_a_grouping() -> None:
    """The best of 1,094 groupings is always clearly better than none on the steps that selected it."""
    rng = np.random.default_rng(0)
    n_candidates = 0
    for _ in range(100):
        interactions = summarize_interactions(build_observer(8, rng.normal(size=(30, 8, 8))))
        n_candidates += "candidates for separate networks" in build_suggestions(interactions)[0]
    assert n_candidates <= 8


def test_pairs_without_common_steps_are_mentioned() -> None:
    grouping = TaskGrouping([["a", "b"], ["c"]], "affinity", 1.0, 0.1, 50, 1)
    interactions = build_interactions(["a", "b", "c"], {"2": grouping}, {})
    assert "1 pair of tasks was never observed together" in build_suggestions(interactions)[0]


def test_significant_conflicts_are_reported(tmp_path: Path) -> None:
    config = load_related_config(tmp_path, "up", "up-too", "down", interactions={"every_n_steps": 1})
    report = run_experiment(config, tmp_path / "run")
    assert report.interactions is not None
    first, second, *remaining_sentences = build_sentences(report.interactions)
    assert first.startswith("conflict: up")
    assert "against down: mean cosine -0." in first
    assert "negative in 100% of 27 steps" in first
    assert second.startswith("conflict: up")
    assert not any(sentence.startswith("conflict") for sentence in remaining_sentences)


def test_absence_of_conflicts_is_reported(tmp_path: Path) -> None:
    report = run_experiment(load_related_config(tmp_path, "up", "up-too"), tmp_path / "run")
    assert report.interactions is not None
    assert (
        build_sentences(report.interactions)[0]
        == "conflicts: no significant conflict between the gradients of two tasks"
    )
