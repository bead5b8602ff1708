"""The trials of a comparison, and the error messages for invalid comparisons."""

from pathlib import Path
from typing import Any

import pytest
from toy import task_block, write_experiment

from mtl_core.comparison.plan import Plan, make_plan
from mtl_core.comparison.variants import split_values
from mtl_core.config.load import load_experiment
from mtl_core.specs import HeadSpec


def plan_of(folder: Path, *others: str, seeds: int = 1, folds: int | None = None, **blocks: Any) -> Plan:
    source = str(write_experiment(folder, **blocks))
    return make_plan(source, [], [], load_experiment(source), seeds, folds, others, folder / "out")


def settings(plan: Plan, name: str) -> list[list[str]]:
    variant = next(variant for variant in plan.variants if variant.name == name)
    return [list(recipe.settings) for recipe in variant.recipes]


def test_every_variant_is_trained_with_every_seed(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "weighting=by-labels", seeds=3)
    assert [(one.name, one.kind) for one in plan.variants] == [
        ("multi-task", "multi-task"),
        ("single-task", "single-task"),
        ("majority", "majority"),
        ("weighting=by-labels", "variant"),
    ]
    names = {"multi-task", "single-task-t0", "single-task-t1", "single-task-t2", "weighting=by-labels"}
    assert {trial.path.name for trial in plan.trials} == {
        f"{name}-seed{seed}" for name in names for seed in (1, 2, 3)
    }
    assert all(f"seed={trial.seed}" in trial.overrides for trial in plan.trials)


def test_equal_weights_are_left_out_where_weights_are_equal(tmp_path: Path) -> None:
    assert "equal weights" not in [one.name for one in plan_of(tmp_path).variants]
    by_labels = plan_of(tmp_path, weighting={"type": "by-labels"})
    assert settings(by_labels, "equal weights") == [["weighting={type: static}"]]
    tasks = [task_block(name="t0", weight=2.0), task_block(name="t1"), task_block(name="t2", weight=0.5)]
    weighed = plan_of(tmp_path, tasks=tasks)
    assert settings(weighed, "equal weights") == [["tasks.0.weight=1", "tasks.2.weight=1"]]


def test_a_network_of_one_task_has_no_other_task_no_helper_and_nothing_to_weigh(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        tasks=[task_block(name="t0", weight=3.0), task_block(name="a, b/c", label="t1")],
        weighting="by-labels",
        architecture="soft-sharing",
        interactions={},
        training={"epochs": 1, "select": {"over": "t0", "metric": "macro_f1"}},
    )
    common = ["weighting={type: static}", "tasks.0.weight=1", "architecture={type: hard-sharing}"]
    common.append("interactions=null")
    assert settings(plan, "single-task") == [
        ["learn=[t0]", *common],
        ["learn=['a, b/c']", *common, "training.select={over: 'a, b/c'}"],
    ]
    assert [recipe.name for recipe in plan.variants[2].recipes] == ["single-task-t0", "single-task-a-b-c"]
    for recipe in plan.variants[2].recipes:
        assert recipe.experiment.config.learn == [recipe.task]


def test_tasks_whose_names_make_one_folder_get_two(tmp_path: Path) -> None:
    tasks = [task_block(name="a/b", label="t0"), task_block(name="A b", label="t1")]
    names = [recipe.name for recipe in plan_of(tmp_path, tasks=tasks).variants[1].recipes]
    assert names == ["single-task-a-b", "single-task-A-b-2"]


def test_nothing_is_trained_twice(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "weighting=static,by-labels", "training.epochs=3")
    ran = {variant.name: [recipe.name for recipe in variant.recipes] for variant in plan.variants}
    assert ran["weighting=static"] == ran["training.epochs=3"] == ran["multi-task"] == ["multi-task"]
    assert len(plan.trials) == len({trial.path for trial in plan.trials}) == 5


def test_the_longest_trainings_come_first(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "training.epochs=9", data={"type": "toy", "labelled": 0.3})
    assert [trial.variant for trial in plan.trials][:2] == ["training.epochs=9", "multi-task"]
    assert all(trial.variant.startswith("single-task") for trial in plan.trials[2:])


def test_folds_are_test_parts_and_the_same_for_every_variant(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, folds=3)
    assert len(plan.trials) == 3 * 4
    for trial in plan.trials:
        assert f"split={{type: k-fold, folds: 3, fold: {trial.fold}, hold_out: test}}" in trial.overrides
        assert trial.path.name == f"{trial.variant}-seed1-fold{trial.fold}"


def test_a_bare_name_of_a_part_becomes_its_block(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        "weighting=by-labels",
        "backbone={type: mlp, hidden_dims: [4, 4]},identity",
        "training.clip_norm=1.0",
        "tasks.0.head=toy-grouped",
    )
    others = [variant for variant in plan.variants if variant.kind == "variant"]
    assert [(one.name, list(one.settings)) for one in others] == [
        ("weighting=by-labels", ["weighting={type: by-labels}"]),
        ("backbone={type: mlp, hidden_dims: [4, 4]}", ["backbone={type: mlp, hidden_dims: [4, 4]}"]),
        ("backbone=identity", ["backbone={type: identity}"]),
        ("training.clip_norm=1.0", ["training.clip_norm=1.0"]),
        ("tasks.0.head=toy-grouped", ["tasks.0.head={type: toy-grouped}"]),
    ]
    head = others[-1].recipes[0].experiment.config.tasks[0].head
    assert isinstance(head, HeadSpec)
    assert head.type == "toy-grouped"


def test_learning_some_of_the_tasks_compares_those(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, learn=["t0", "t2"])
    assert plan.tasks == ["t0", "t2"]
    assert len(plan.trials) == 3


def test_weights_of_other_heads_are_not_asked_for_alone(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    start = {"run": str(tmp_path / "before"), "parts": ["body.*", "heads.t1.*"]}
    found = settings(plan_of(tmp_path, start_from=start), "single-task")
    assert "start_from.parts=[body.*]" in found[0]
    assert not any(setting.startswith("start_from") for setting in found[1])
    heads = {**start, "parts": ["heads.t1.*"]}
    assert "start_from=null" in settings(plan_of(tmp_path, start_from=heads), "single-task")[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b", ["a", "b"]),
        ("{type: x, y: [1, 2]} , 3", ["{type: x, y: [1, 2]}", "3"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
    ],
)
def test_values_are_split_at_outer_commas(text: str, values: list[str]) -> None:
    assert split_values(text) == values


# ── invalid comparisons ──

TOO_FEW = "toy: has only one active task ('t0'); a comparison of multi-task learning needs two or more"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "learn=[t0]"], TOO_FEW),
        (
            ["--with", "weighting=by-label"],
            "--with weighting=by-label: weighting.type: unknown weighting 'by-label'; d",
        ),
        (
            ["--with", "optimizer.lrr=1"],
            "--with optimizer.lrr=1: optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?",
        ),
        (
            ["--with", "weightng=static"],
            "--with weightng=static: weightng: unknown key 'weightng'; did you mean 'wei",
        ),
        (["--with", "weighting"], "--with weighting: expected KEY=V1,V2, such as weighting=static,by-labels"),
        (["--with", "weighting="], "--with weighting=: expected KEY=V1,V2"),
        (["--with", "weighting=static,,by-labels"], "a value between two commas is empty"),
        (["--with", "weighting={type: static"], "a bracket or a quote is not closed"),
        (["--with", "weighting=static,static"], "--with weighting=static: given twice"),
        (["--with", "seed=1,2"], "'seed' sets the seeds, which must be the same for all variants of a comparison"),
        (["--with", "split=random"], "'split' sets the split"),
        (["--with", "data.rows=30"], "'data.rows' sets the data"),
        (["--with", "tasks.0.mask=observed"], "changes tasks.0.mask, and with it what is measured"),
        (
            ["--with", "tasks.0.kind.metrics=[macro-f1]"],
            "changes tasks.0.kind.metrics, and with it what is measured",
        ),
        (["--folds", "1"], "--folds"),
        (["--set", "epochs=3"], "--set epochs: unknown key 'epochs'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(
    tmp_path: Path, mtl: Any, options: list[str], message: str
) -> None:
    done = mtl("compare", write_experiment(tmp_path), *options, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_no_experiment_and_no_run_is_named(tmp_path: Path, mtl: Any) -> None:
    for targets, message in (
        (["nothing"], "unknown experiment 'nothing'"),
        ([tmp_path, "nothing"], "nothing: no such run directory; compare one experiment, or two or more runs"),
        ([tmp_path], f"{tmp_path}: not a run directory (it contains no config.yaml)"),
    ):
        done = mtl("compare", *targets)
        assert done.returncode == 2
        assert message in done.stderr


def test_data_that_scores_nothing_is_refused_after_the_first_training(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, split="predefined", training={"epochs": 1, "batch_size": 16})
    done = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "its data has neither a test split nor validation data" in done.stderr
    assert len([run for run in (tmp_path / "out").iterdir() if run.is_dir()]) == 1


def test_an_error_of_one_training_names_it(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, data={"type": "toy", "rows": 10, "labelled": 1.0})
    done = mtl("compare", path, "--seeds", "1", "--folds", "30", "--jobs", "1", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "-seed1-fold" in done.stderr
    assert ": split.folds: 30 folds need as many distinct examples" in done.stderr
