"""Metrics for which lower is better: the epoch with the lowest value is the best one."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from one_task import OneTask
from token_components import build_experiment_blocks, build_task_blocks
from toy import toy_config

from mtl_core.config.training import Selection
from mtl_core.evaluation.selection import is_higher_better
from mtl_core.runs.run import run_experiment


def read_validation(path: Path, column: str) -> list[float]:
    with (path / "history.csv").open() as lines:
        return [float(row[f"validation.{column}"]) for row in csv.DictReader(lines)]


def run_price(folder: Path, name: str, **training: Any) -> Path:
    """Run a regression whose large learning rate makes the validation error rise and fall."""
    blocks = build_experiment_blocks(
        tasks=build_task_blocks("price"),
        optimizer={"type": "adam", "lr": 0.3},
        split={"type": "random", "validation": 0.3},
        training={"epochs": 7, "batch_size": 16, "refit": False, "select": {"metric": "mae"}, **training},
    )
    run_experiment(toy_config(folder, **blocks), folder / name)
    return folder / name


def test_epoch_with_the_lowest_error_is_selected(tmp_path: Path) -> None:
    path = run_price(tmp_path, "run")
    errors = read_validation(path, "price.mae")
    model = json.loads((path / "metrics.json").read_text())["model"]
    assert len(set(errors)) == 7
    assert 0 < errors.index(min(errors)) < 6  # neither the first nor the last epoch by chance
    assert model["best_epoch"] == errors.index(min(errors)) + 1
    assert model["best_score"] == pytest.approx(min(errors))


def test_network_has_the_weights_of_the_lowest_error(tmp_path: Path) -> None:
    path = run_price(tmp_path, "run")
    saved_metrics = json.loads((path / "metrics.json").read_text())["splits"]["validation"]["tasks"]["price"]
    assert saved_metrics["mae"] == pytest.approx(min(read_validation(path, "price.mae")))


def test_patience_counts_epochs_since_the_lowest_error(tmp_path: Path) -> None:
    errors = read_validation(run_price(tmp_path, "all"), "price.mae")
    for patience in (1, 2):
        stopped = read_validation(run_price(tmp_path, f"stopped-{patience}", patience=patience), "price.mae")
        last = next(
            (epoch for epoch in range(7) if epoch - min(range(epoch + 1), key=errors.__getitem__) >= patience), 6
        )
        assert stopped == pytest.approx(errors[: last + 1])


@pytest.mark.parametrize(
    ("metric", "aggregation", "expected"),
    [
        ("mae", "t", False),
        ("rmse", "mean", False),
        ("r2", "t", True),
        ("mae", "relative_error_reduction", True),  # the reduction of an error: higher is better
        (None, "relative_error_reduction", True),
    ],
)
def test_direction_of_the_selection_score(metric: str | None, aggregation: str, expected: bool) -> None:
    task = OneTask("regression", [1.0, 2.0]).task
    assert is_higher_better(Selection(metric=metric, aggregation=aggregation), [task]) is expected
