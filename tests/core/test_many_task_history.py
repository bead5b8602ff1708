"""The history of runs of many tasks has means instead of columns per task."""

from pathlib import Path

import pytest
from toy import toy_config

from mtl_core.artifacts.history import History
from mtl_core.artifacts.json_files import read_json
from mtl_core.runs.run import run_experiment
from mtl_core.tracking.values import collect_final_values


@pytest.mark.parametrize(("n_tasks", "is_summarized"), [(20, False), (21, True)])
def test_columns_of_many_tasks(tmp_path: Path, n_tasks: int, is_summarized: bool) -> None:
    config = toy_config(
        tmp_path,
        data={"type": "toy", "rows": 40, "tasks": n_tasks},
        tasks=[{"each": "*", "kind": "classification", "head": "linear", "mask": "exclude-labels"}],
        training={"epochs": 2},
    )
    run = run_experiment(config, tmp_path / "run").path
    metrics = read_json(run / "metrics.json")
    epochs = History.read(run / "history.csv").selection
    best = epochs[metrics["model"]["best_epoch"] - 1]
    split = metrics["splits"]["validation"]
    assert best.validation["overall.accuracy"] == pytest.approx(split["overall"]["accuracy"])
    names = {name.rpartition(".")[0] for name in best.validation}
    final = collect_final_values(metrics)
    assert final["final/validation.mean.accuracy.value"] == split["mean"]["accuracy"]["value"]
    if not is_summarized:
        assert names == {"overall", *split["tasks"]}
        assert best.losses.keys() == split["tasks"].keys()
        assert "final/validation.t0.accuracy" in final
        return
    assert names == {"overall", "mean", "selection"}
    assert best.validation["mean.macro_f1"] == pytest.approx(split["mean"]["macro_f1"]["value"])
    assert best.validation["selection.score"] == pytest.approx(metrics["model"]["best_score"])
    assert list(best.losses) == list(best.weights) == ["mean"]
    assert best.losses["mean"] is not None
    assert not any(name.startswith("final/validation.t") for name in final)
