"""The trials of a comparison, and the error messages for invalid comparisons."""

from pathlib import Path
from typing import Any

import pytest
from toy import task_block, write_experiment

from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import load_experiment
from mtl_core.experiments.compare.plan import Plan, build_plan
from mtl_core.experiments.compare.variants import split_values
from mtl_core.plugins.specs import HeadSpec

pytestmark = pytest.mark.usefixtures("placeholder_reports")


def build_test_plan(folder: Path, *variants: str, seeds: int = 1, folds: int | None = None, **blocks: Any) -> Plan:
    source = str(write_experiment(folder, **blocks))
    return build_plan(ExperimentFile(source), [], load_experiment(source), seeds, folds, variants, folder / "out")


def get_overrides(plan: Plan, name: str) -> list[list[str]]:
    variant = next(variant for variant in plan.variants if variant.name == name)
    return [list(training_spec.overrides) for training_spec in variant.training_specs]


def test_every_variant_is_trained_with_every_seed(tmp_path: Path) -> None:
    plan = build_test_plan(tmp_path, "weighting=label-count", seeds=3)
    assert [(one.name, one.kind) for one in plan.variants] == [
        ("multi-task", "multi-task"),
        ("single-task", "single-task"),
        ("majority", "majority"),
        ("weighting=label-count", "variant"),
    ]
    names = {"multi-task", "single-task-t0", "single-task-t1", "single-task-t2", "weighting=label-count"}
    assert {trial.run_dir.name for trial in plan.trials} == {
        f"{name}-seed{seed}" for name in names for seed in (1, 2, 3)
    }
    assert all(f"seed={trial.seed}" in trial.overrides for trial in plan.trials)


def test_equal_weights_variant_is_omitted_if_weights_are_equal(tmp_path: Path) -> None:
    assert "equal weights" not in [one.name for one in build_test_plan(tmp_path).variants]
    by_labels = build_test_plan(tmp_path, weighting={"type": "label-count"})
    assert get_overrides(by_labels, "equal weights") == [["weighting={type: sum}"]]
    tasks = [task_block(name="t0", weight=2.0), task_block(name="t1"), task_block(name="t2", weight=0.5)]
    weighted = build_test_plan(tmp_path, tasks=tasks)
    assert get_overrides(weighted, "equal weights") == [["tasks.0.weight=1", "tasks.2.weight=1"]]


def test_single_task_network_has_no_auxiliary_task_and_no_weighting(tmp_path: Path) -> None:
    plan = build_test_plan(
        tmp_path,
        tasks=[task_block(name="t0", weight=3.0), task_block(name="a, b/c", label="t1")],
        weighting="label-count",
        architecture="soft-sharing",
        interactions={},
        training={"epochs": 1, "select": {"aggregation": "t0", "metric": "macro_f1"}},
    )
    common = ["weighting={type: sum}", "tasks.0.weight=1", "architecture={type: hard-sharing}"]
    common.append("interactions=null")
    assert get_overrides(plan, "single-task") == [
        ["active_tasks=[t0]", *common],
        ["active_tasks=['a, b/c']", *common, "training.select={aggregation: 'a, b/c'}"],
    ]
    assert [training_spec.name for training_spec in plan.variants[2].training_specs] == [
        "single-task-t0",
        "single-task-a-b-c",
    ]
    for training_spec in plan.variants[2].training_specs:
        assert training_spec.experiment.config.active_tasks == [training_spec.task]


def test_similar_task_names_get_distinct_folders(tmp_path: Path) -> None:
    tasks = [task_block(name="a/b", label="t0"), task_block(name="A b", label="t1")]
    names = [training_spec.name for training_spec in build_test_plan(tmp_path, tasks=tasks).variants[1].training_specs]
    assert names == ["single-task-a-b", "single-task-A-b-2"]


def test_equal_variants_share_their_trials(tmp_path: Path) -> None:
    plan = build_test_plan(tmp_path, "weighting=sum,label-count", "training.epochs=3")
    names_by_variant = {
        variant.name: [training_spec.name for training_spec in variant.training_specs] for variant in plan.variants
    }
    assert (
        names_by_variant["weighting=sum"]
        == names_by_variant["training.epochs=3"]
        == names_by_variant["multi-task"]
        == ["multi-task"]
    )
    assert len(plan.trials) == len({trial.run_dir for trial in plan.trials}) == 5


def test_the_longest_trainings_come_first(tmp_path: Path) -> None:
    plan = build_test_plan(tmp_path, "training.epochs=9", data={"type": "toy", "labelled": 0.3})
    assert [trial.variant for trial in plan.trials][:2] == ["training.epochs=9", "multi-task"]
    assert all(trial.variant.startswith("single-task") for trial in plan.trials[2:])


def test_folds_are_test_splits_and_equal_for_every_variant(tmp_path: Path) -> None:
    plan = build_test_plan(tmp_path, folds=3)
    assert len(plan.trials) == 3 * 4
    for trial in plan.trials:
        assert f"split={{type: k-fold, folds: 3, fold: {trial.fold}, hold_out: test}}" in trial.overrides
        assert trial.run_dir.name == f"{trial.variant}-seed1-fold{trial.fold}"


def test_type_name_becomes_its_block(tmp_path: Path) -> None:
    plan = build_test_plan(
        tmp_path,
        "weighting=label-count",
        "backbone={type: mlp, hidden_dims: [4, 4]},identity",
        "training.max_grad_norm=1.0",
        "tasks.0.head=toy-grouped",
    )
    variants = [variant for variant in plan.variants if variant.kind == "variant"]
    assert [(one.name, list(one.overrides)) for one in variants] == [
        ("weighting=label-count", ["weighting={type: label-count}"]),
        ("backbone={type: mlp, hidden_dims: [4, 4]}", ["backbone={type: mlp, hidden_dims: [4, 4]}"]),
        ("backbone=identity", ["backbone={type: identity}"]),
        ("training.max_grad_norm=1.0", ["training.max_grad_norm=1.0"]),
        ("tasks.0.head=toy-grouped", ["tasks.0.head={type: toy-grouped}"]),
    ]
    head = variants[-1].training_specs[0].experiment.config.tasks[0].head
    assert isinstance(head, HeadSpec)
    assert head.type == "toy-grouped"


def test_only_active_tasks_are_compared(tmp_path: Path) -> None:
    plan = build_test_plan(tmp_path, active_tasks=["t0", "t2"])
    assert plan.tasks == ["t0", "t2"]
    assert len(plan.trials) == 3


def test_single_task_networks_do_not_load_weights_of_other_heads(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    warm_start = {"run": str(tmp_path / "before"), "weights": ["trunk.*", "heads.t1.*"]}
    overrides = get_overrides(build_test_plan(tmp_path, init_from=warm_start), "single-task")
    assert "init_from.weights=[trunk.*]" in overrides[0]
    assert not any(setting.startswith("init_from") for setting in overrides[1])
    heads = {**warm_start, "weights": ["heads.t1.*"]}
    assert "init_from=null" in get_overrides(build_test_plan(tmp_path, init_from=heads), "single-task")[0]


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
        (["--set", "active_tasks=[t0]"], TOO_FEW),
        (
            ["--variant", "weighting=label-counts"],
            "--variant weighting=label-counts: weighting.type: unknown weighting 'label-counts'; d",
        ),
        (
            ["--variant", "optimizer.lrr=1"],
            "--variant optimizer.lrr=1: optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?",
        ),
        (
            ["--variant", "weightng=sum"],
            "--variant weightng=sum: weightng: unknown key 'weightng'; did you mean 'wei",
        ),
        (["--variant", "weighting"], "--variant weighting: expected KEY=V1,V2, such as weighting=sum,label-count"),
        (["--variant", "weighting="], "--variant weighting=: expected KEY=V1,V2"),
        (["--variant", "weighting=sum,,label-count"], "a value between two commas is empty"),
        (["--variant", "weighting={type: sum"], "a bracket or a quote is not closed"),
        (["--variant", "weighting=sum,sum"], "--variant weighting=sum: given twice"),
        (
            ["--variant", "seed=1,2"],
            "'seed' sets the seeds, which must be the same for all variants of a comparison",
        ),
        (["--variant", "split=random"], "'split' sets the split"),
        (["--variant", "data.rows=30"], "'data.rows' sets the data"),
        (["--variant", "tasks.0.mask=observed"], "changes tasks.0.mask, and with it what is measured"),
        (
            ["--variant", "tasks.0.kind.metrics=[macro-f1]"],
            "changes tasks.0.kind.metrics, and with it what is measured",
        ),
        (["--folds", "1"], "--folds"),
        (["--set", "epochs=3"], "--set epochs: unknown key 'epochs'"),
    ],
)
def test_invalid_options_are_reported_before_training(
    tmp_path: Path, mtl: Any, options: list[str], message: str
) -> None:
    result = mtl("compare", write_experiment(tmp_path), *options, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_unknown_targets_are_reported(tmp_path: Path, mtl: Any) -> None:
    for targets, message in (
        (["nothing"], "unknown experiment 'nothing'"),
        ([tmp_path, "nothing"], "nothing: no such run directory; compare one experiment, or two or more runs"),
        ([tmp_path], f"{tmp_path}: not a run directory (it contains no config.yaml)"),
    ):
        result = mtl("compare", *targets)
        assert result.returncode == 2
        assert message in result.stderr


def test_data_without_scored_examples_is_rejected_after_the_first_trial(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, split="predefined", training={"epochs": 1, "batch_size": 16})
    result = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "its data has neither a test split nor validation data" in result.stderr
    assert len([run for run in (tmp_path / "out").iterdir() if run.is_dir()]) == 1


def test_error_of_a_trial_reports_its_name(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, data={"type": "toy", "rows": 10, "labelled": 1.0})
    result = mtl("compare", path, "--seeds", "1", "--folds", "30", "--jobs", "1", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "-seed1-fold" in result.stderr
    assert ": split.folds: 30 folds need as many distinct examples" in result.stderr
