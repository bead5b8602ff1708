"""The mean of each metric over the main tasks."""

from pathlib import Path

import pytest
from toy import toy_config

from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.metrics import MeanScore, parse_mean_scores
from mtl_core.errors import MtlError
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scores import MetricValue, Scores, TaskScore
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.run import run_experiment


def build_score(value: float | None, baseline: float | None, n: int) -> TaskScore:
    auc = MetricValue(value, n, baseline, pooled=False)
    confusion = MetricValue([[n]], n, None, pooled=False, scalar=False)
    return TaskScore(n, {"roc_auc": auc, "confusion": confusion})


def test_every_task_with_a_value_counts_once() -> None:
    tasks = {
        "a": build_score(0.9, 0.5, 1000),
        "b": build_score(0.6, None, 2),
        "one-class": build_score(None, 0.1, 5),
        "unlabelled": build_score(None, None, 0),
    }
    auxiliary = {"helper": build_score(0.1, 0.1, 10)}
    scores = Scores(tasks, pool_scores(list(tasks.values())), auxiliary)
    # The baseline is over the same tasks: that of a task without a value is left out.
    assert scores.mean == {"roc_auc": MeanScore(0.75, 0.5, 2)}
    report = build_scores_report(scores)
    assert report["mean"] == {"roc_auc": {"value": 0.75, "baseline": 0.5, "n_tasks": 2}}
    assert parse_mean_scores(report, Path("metrics.json")) == scores.mean


def test_mean_without_defined_tasks_is_undefined() -> None:
    tasks = {"a": build_score(None, 0.5, 3)}
    assert Scores(tasks, pool_scores([])).mean == {"roc_auc": MeanScore(None, None, 0)}


def test_means_of_older_and_damaged_files() -> None:
    assert parse_mean_scores({"tasks": {}}, Path("metrics.json")) == {}
    with pytest.raises(MtlError, match=r"metrics\.json: damaged: roc_auc\.n_tasks: Field required"):
        parse_mean_scores({"mean": {"roc_auc": {"value": 0.5, "baseline": 0.5}}}, Path("metrics.json"))


def test_run_writes_the_means(tmp_path: Path) -> None:
    run = run_experiment(toy_config(tmp_path), tmp_path / "run").path
    split = read_json(run / "metrics.json")["splits"]["validation"]
    values = [task["accuracy"] for task in split["tasks"].values() if task["accuracy"] is not None]
    assert split["mean"]["accuracy"]["value"] == pytest.approx(sum(values) / len(values))
    assert split["mean"]["accuracy"]["n_tasks"] == len(values) > 1
    assert "confusion" not in split["mean"]
