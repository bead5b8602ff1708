"""Comparison of runs with labels per pixel, from the sums of each image."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pixel_components import build_pixel_experiment
from toy import write_experiment

from mtl_core.builtins.metrics.mean_iou import MeanIoU
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.comparability import check_same_labels
from mtl_core.experiments.compare.example_columns import ExampleColumns
from mtl_core.experiments.compare.run_outputs import LabelledImageSums, read_run
from mtl_core.experiments.compare.seed_scores import SeedScorer
from mtl_core.runs.image_sums import ImageSumCollector, _compute_fingerprint
from mtl_core.runs.run import run_experiment


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pixels")
    return write_experiment(folder, **build_pixel_experiment("seg", "depth", training={"epochs": 3, "batch_size": 8}))


@pytest.fixture(scope="module")
def comparison(experiment: Path, mtl_uncaptured: Any) -> Path:
    out = experiment.parent / "comparison"
    result = mtl_uncaptured("compare", experiment, "--seeds", 2, "--out", out)
    assert result.returncode == 0, result.stderr
    return out


def test_compared_scores_are_those_of_the_runs(comparison: Path) -> None:
    compared = {
        variant["name"]: variant for variant in json.loads((comparison / "comparison.json").read_text())["variants"]
    }
    for variant in ("multi-task", "single-task"):
        summary = compared[variant]["tasks"]
        for task, metric in (("seg", "mean_iou"), ("depth", "mae")):
            for seed, value in zip((1, 2), summary[task]["seeds"], strict=True):
                name = f"{variant}-seed{seed}" if variant == "multi-task" else f"{variant}-{task}-seed{seed}"
                metrics = json.loads((comparison / name / "metrics.json").read_text())
                assert value == pytest.approx(metrics["splits"]["test"]["tasks"][task][metric], abs=1e-9)
    baseline = compared["majority"]["tasks"]["seg"]["mean"]
    metrics = json.loads((comparison / "multi-task-seed1" / "metrics.json").read_text())
    assert baseline == pytest.approx(metrics["splits"]["test"]["tasks"]["seg"]["baseline_mean_iou"], abs=1e-9)


def read_segmentation(comparison: Path, seed: int) -> LabelledImageSums:
    path = comparison / f"multi-task-seed{seed}"
    outputs = read_run(path, load_experiment(path / "config.yaml")).tasks["seg"]
    assert isinstance(outputs, LabelledImageSums)
    return outputs


def test_influences_are_those_of_the_score_without_each_image(comparison: Path) -> None:
    outputs = read_segmentation(comparison, 1)
    score = SeedScorer(MeanIoU(), ExampleColumns(list(outputs.ids))).score([outputs])
    sums = outputs.image_sums.sums["mean_iou"].numpy()
    without = [MeanIoU().compute_from_sums(np.delete(sums, row, axis=0).sum(axis=0)) for row in range(len(sums))]
    expected = (np.mean(without) - np.array(without)) * (len(sums) - 1) / len(sums)
    assert score.influence == pytest.approx(expected, abs=1e-12)
    assert score.n_units == len(sums) == 12
    assert score.label_counts.sum() < 12 * 96  # unlabelled pixels are not counted


def test_runs_on_other_masks_are_refused(comparison: Path) -> None:
    first, second = read_segmentation(comparison, 1), read_segmentation(comparison, 2)
    check_same_labels({"seg": first}, {"seg": second}, ("first", "second"))
    second.image_sums.fingerprints[3, 1] += 1
    with pytest.raises(MtlError, match=rf"another label for example '{second.ids[3]}' .* a mask with \d+ labelled"):
        check_same_labels({"seg": first}, {"seg": second}, ("first", "second"))


def test_a_metric_without_stored_sums_is_refused(comparison: Path) -> None:
    outputs = read_segmentation(comparison, 1)
    outputs.image_sums.sums.pop("mean_iou")  # type: ignore[attr-defined]
    scorer = SeedScorer(MeanIoU(), ExampleColumns(list(outputs.ids)))
    with pytest.raises(MtlError, match=r"the metric 'mean_iou' is not computed from sums over pixels.*pixel_accuracy"):
        scorer.score([outputs])


def test_a_changed_pixel_changes_the_fingerprint() -> None:
    for labels in (torch.tensor([0, 1, 1, 0]), torch.tensor([0.5, 1.5, 1.5, 0.5])):
        first = _compute_fingerprint(labels)
        assert (first == _compute_fingerprint(labels.clone())).all()
        assert (first != _compute_fingerprint(labels[[1, 0, 2, 3]])).any()


def test_images_are_stored_in_the_order_of_the_examples(comparison: Path) -> None:
    collector = ImageSumCollector(read_segmentation(comparison, 1).task)
    outputs, targets = torch.zeros(5, 3), torch.tensor([0, 0, 1, 0, 0])
    collector.update(outputs, targets, np.array([7, 7, 7, 4, 4]))
    collector.update(outputs[:1], targets[:1], np.array([5]))
    tensors = collector.build_tensors(np.array([4, 5, 6, 7]))
    assert tensors["examples"].tolist() == [0, 1, 3]
    assert tensors["counts/mean_iou"].tolist() == [2, 1, 3]
    assert tensors["sums/pixel_accuracy"].tolist() == [[2, 2], [1, 1], [2, 3]]


def test_a_run_is_compared_with_another_run(experiment: Path, tmp_path: Path, mtl: Any) -> None:
    for seed in (1, 2):
        config = load_experiment(str(experiment), [f"seed={seed}", "training.epochs=1"]).config
        run_experiment(config, tmp_path / f"run{seed}")
    result = mtl("compare", tmp_path / "run1", tmp_path / "run2", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "mean iou" in result.stdout
