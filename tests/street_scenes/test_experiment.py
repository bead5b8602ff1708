"""The packaged experiment `street-scenes`, with few scenes."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from PIL import Image

from mtl_core.config.load import load_experiment
from mtl_street_scenes.classes import CLASSES, KINDS
from mtl_street_scenes.scene import draw_scene

Mtl = Callable[..., CompletedProcess[str]]
SIZE = 32
SETTINGS = ["data.scenes=80", "data.test_scenes=12", f"data.size={SIZE}", f"encoder.size={SIZE}", "training.epochs=1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    path = tmp_path_factory.mktemp("runs") / "scenes"
    result = mtl_uncaptured(
        "run", "street-scenes", "--out", path, *(part for one in SETTINGS for part in ("--set", one))
    )
    assert result.returncode == 0, result.stderr
    assert "drawn street scenes, not photographs" in result.stdout + result.stderr
    return path


@pytest.fixture(scope="module")
def metrics(run: Path) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return contents


def test_four_detectors_learn_with_counts_and_masks_as_auxiliary_tasks() -> None:
    config: Any = load_experiment("street-scenes").config
    assert [task.name for task in config.tasks] == list(KINDS)
    assert {spec.task_name for spec in config.auxiliary} == {"mask", *(f"{kind}-count" for kind in KINDS)}
    assert config.data.label_fraction == pytest.approx(1 / 3, abs=1e-3)
    (mask,) = [spec for spec in config.auxiliary if spec.task_name == "mask"]
    assert tuple(mask.kind.classes) == CLASSES


def test_test_scenes_have_all_labels(metrics: dict[str, Any]) -> None:
    test = metrics["splits"]["test"]
    assert {name: scores["n"] for name, scores in test["tasks"].items()} == dict.fromkeys(KINDS, 12)
    counts = {f"{kind}-count": 12 for kind in KINDS}
    assert {name: scores["n"] for name, scores in test["auxiliary"].items() if name != "mask"} == counts


def test_masks_of_validation_and_test_scenes_are_scored(metrics: dict[str, Any]) -> None:
    n_pixels = sum(int((draw_scene(10**6 + index, size=SIZE).mask != 255).sum()) for index in range(12))
    assert metrics["splits"]["test"]["auxiliary"]["mask"]["n"] == n_pixels
    assert 0 < metrics["splits"]["validation"]["auxiliary"]["mask"]["n"] <= 12 * SIZE**2


def test_report_shows_predicted_and_true_masks(run: Path) -> None:
    pictures = [json.loads(line) for line in (run / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(pictures) == 8
    page = (run / "report.html").read_text(encoding="utf-8")
    for picture in pictures:
        (mask,) = picture["masks"]
        assert mask["task"] == "mask"
        assert [label["task"] for label in picture["labels"]] == list(KINDS)
        assert all(url in page for url in (picture["image"], mask["predicted"], mask["gold"]))


def test_run_predicts_from_an_image_file(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    mtl("street-scenes", "write", tmp_path / "scenes", "--scenes", 1, "--seed", 8)
    result = mtl("predict", run, tmp_path / "scenes" / "images" / "0.png")
    assert result.returncode == 0, result.stderr
    assert all(kind in result.stdout for kind in KINDS)


def test_masks_of_the_auxiliary_task_are_predicted(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    mtl("street-scenes", "write", tmp_path / "scenes", "--scenes", 1, "--size", SIZE)
    result = mtl("predict", run, tmp_path / "scenes" / "images" / "0.png", "--masks", tmp_path / "masks")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "masks" / "mask" / "000001.png") as image:
        assert image.size == (SIZE, SIZE)
