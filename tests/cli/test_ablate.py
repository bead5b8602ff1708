"""`mtl ablate`: the same training without auxiliary tasks, with each of them, and with all of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtl_core.cli.app import main

pytestmark = pytest.mark.usefixtures("placeholder_reports", "shared_pipelines")

TASKS = "auxiliary=[{type: sentence-length}, {type: masked-tokens, weight: 0.5}]"
SPLIT = "split={type: random, validation: 0.6}"
SMALL = ("--set", "training.epochs=1", "--set", "encoder.dimensions=8", "--set", "backbone=identity", "--set", SPLIT)
FAST = (*SMALL, "--set", TASKS, "--seeds", "2")


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ablation") / "out"
    with pytest.raises(SystemExit) as stop:
        main(["ablate", "auxiliary-sample", *FAST, "--out", str(path)])
    assert stop.value.code == 0
    return path


def _read_metrics(path: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _read_variants(path: Path) -> dict[str, dict[str, Any]]:
    comparison = json.loads((path / "comparison.json").read_text(encoding="utf-8"))
    return {variant["name"]: variant for variant in comparison["variants"]}


def test_every_variant_is_trained_with_every_seed(ablation: Path) -> None:
    variants = _read_variants(ablation)
    assert list(variants) == ["none", "sentence-length", "masked-tokens", "all"]
    for name, variant in variants.items():
        assert variant["runs"] == [f"{name}-seed42", f"{name}-seed43"]
        for run in variant["runs"]:
            assert str(_read_metrics(ablation / run)["seed"]) in run


def test_validation_scores_of_the_runs_are_compared_with_none(ablation: Path) -> None:
    variants = _read_variants(ablation)
    for name, variant in variants.items():
        runs = [_read_metrics(ablation / run) for run in variant["runs"]]
        scores = [run["splits"]["validation"]["overall"]["accuracy"] for run in runs]
        assert variant["overall"]["seeds"] == pytest.approx(scores)
        if name == "none":
            assert variant["differences_from_reference"] is None
            continue
        difference = variant["differences_from_reference"]["overall"]
        without = variants["none"]["overall"]["seeds"]
        assert difference["seeds"] == pytest.approx([a - b for a, b in zip(scores, without, strict=True)])
        assert difference["verdict"] in {"not resolved", "practically equal", "improved", "degraded"}
    comparison = json.loads((ablation / "comparison.json").read_text(encoding="utf-8"))
    assert (comparison["reference"], comparison["split_name"]) == ("none", "validation")
    assert comparison["families"]["tasks"] == {"size": 3, "correction": "holm"}
    assert (ablation / "report.html").is_file()


def test_test_split_is_never_evaluated(ablation: Path) -> None:
    """An ablation is a choice, and the sample has test data: no trial may compute a prediction for it."""
    runs = [path.parent for path in ablation.glob("*/metrics.json")]
    assert len(runs) == 8
    for run in runs:
        metrics = _read_metrics(run)
        assert list(metrics["splits"]) == ["validation"]
        assert set(metrics["data"]["examples"]) == {"train", "validation"}
        records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {record["split"] for record in records} == {"validation"}
        assert len(records) == metrics["data"]["examples"]["validation"]


def test_variant_computes_no_other_auxiliary_task(ablation: Path) -> None:
    """The other tasks have weight 0, so their heads keep their initial weights and cost no time."""
    costs = _read_metrics(ablation / "masked-tokens-seed42")["auxiliary"]
    assert {name: cost["weight"] for name, cost in costs.items()} == {"masked-tokens": 0.5, "sentence-length": 0}
    assert "auxiliary" not in _read_metrics(ablation / "none-seed42")


def test_ablation_resumes(ablation: Path, mtl: Any) -> None:
    run_dir = ablation / "all-seed43"
    stamp = (run_dir / "metrics.json").stat().st_mtime_ns
    shutil.rmtree(ablation / "none-seed42")
    before = {name: variant["overall"] for name, variant in _read_variants(ablation).items()}
    result = mtl("ablate", "auxiliary-sample", *FAST, "--out", ablation)
    assert result.returncode == 0, result.stderr
    assert (run_dir / "metrics.json").stat().st_mtime_ns == stamp
    assert {name: variant["overall"] for name, variant in _read_variants(ablation).items()} == before
    assert "note: 180 training examples have no label for any main task" in result.stdout


def test_folder_of_another_ablation_is_rejected(ablation: Path, mtl: Any) -> None:
    result = mtl("ablate", "auxiliary-sample", *FAST, "--set", "training.epochs=2", "--out", ablation)
    assert result.returncode == 2
    assert "not from the same ablation" in result.stderr


def test_without_auxiliary_tasks_there_is_nothing_to_compare(mtl: Any, tmp_path: Path) -> None:
    result = mtl("ablate", "absa-sample", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "no `auxiliary:` tasks" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("forked_workers")
def test_folds_in_several_processes_have_the_scores_of_one_process(mtl: Any, tmp_path: Path) -> None:
    tasks = "auxiliary=[{type: sentence-length}]"
    options = (*SMALL, "--set", tasks, "--seeds", "1", "--folds", "2")
    scores = []
    for jobs in ("1", "2"):
        result = mtl("ablate", "auxiliary-sample", *options, "--jobs", jobs, "--out", tmp_path / jobs)
        assert result.returncode == 0, result.stderr
        scores.append({name: variant["overall"] for name, variant in _read_variants(tmp_path / jobs).items()})
    assert scores[0] == scores[1]
    assert len(list((tmp_path / "1").glob("*-fold1"))) == 2
