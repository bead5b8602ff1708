"""`mtl compare --plan`, from a pilot and from stated variances."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from toy import write_experiment

from mtl_core.statistics.power import VarianceComponents, compute_resolvable_difference

pytestmark = pytest.mark.usefixtures("placeholder_reports")

DATA = {"type": "toy", "rows": 40, "test_rows": 40, "labelled": 0.5, "tasks": 2}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    return write_experiment(folder, data=DATA, split="random", training={"epochs": 1, "batch_size": 8})


def read_rows(stdout: str) -> dict[int, list[str]]:
    """Return number of seeds to the other cells of its row."""
    rows = [line.split() for line in stdout.splitlines() if re.match(r"^ +\d+ ", line)]
    return {int(row[0]): row[1:] for row in rows}


def test_pilot_gives_differences_trainings_and_times(experiment: Path, mtl: Any, tmp_path: Path) -> None:
    pilot = tmp_path / "pilot"
    options = ("compare", experiment, "--seeds", "2", "--jobs", "1", "--out", pilot)
    assert mtl(*options).returncode == 0
    result = mtl("compare", experiment, "--plan", "--pilot", pilot, "--jobs", "4", "--variant", "weighting=label-count")
    assert result.returncode == 0, result.stderr
    rows = read_rows(result.stdout)
    assert list(rows) == [2, 3, 5, 10, 20]
    # Per seed: multi-task, two single-task networks, and the variant.
    assert [row[0] for row in rows.values()] == ["8", "12", "20", "40", "80"]
    overall = [float(row[-1].replace(",", "")) for row in rows.values()]
    assert overall == sorted(overall, reverse=True)
    assert "as the first of 6 differences (Holm)" in result.stdout
    assert "those of 2 pilot seeds, which is a rough guess that may be wrong by a factor of three" in result.stdout
    assert "times are those of the pilot's trainings with 4 in parallel" in result.stdout
    # The number of tests is that of the comparison itself.
    comparison = tmp_path / "whole"
    variant_options = ("--seeds", "2", "--variant", "weighting=label-count", "--jobs", "1")
    assert mtl("compare", experiment, *variant_options, "--out", comparison).returncode == 0
    families = json.loads((comparison / "comparison.json").read_text(encoding="utf-8"))["families"]
    assert families["tasks"]["size"] == 6


def test_stated_variances_are_those_of_every_task(experiment: Path, mtl: Any) -> None:
    result = mtl("compare", experiment, "--plan", "--seed-std", "0.02", "--example-std", "0.3", "--folds", "2")
    assert result.returncode == 0, result.stderr
    rows = read_rows(result.stdout)
    assert rows[5][0] == str(5 * 2 * 3)
    smallest = min(
        abs(
            float(rows[5][-1])
            - compute_resolvable_difference(
                VarianceComponents(0.02**2, 0.3**2 / n_labels, 0.0, 1 / n_labels, n_labels - 1), 5, 0.05 / 2
            )
        )
        for n_labels in range(2, 41)
    )
    assert smallest < 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plan"], "--plan: needs either --pilot COMPARISON"),
        (["--plan", "--seed-std", "0.1"], "--plan: needs either --pilot COMPARISON"),
        (["--plan", "--pilot", "nothing"], "nothing: no finished comparison: it contains no comparison.json"),
        (["--seed-std", "0.1"], "--seed-std: only with --plan"),
    ],
)
def test_incomplete_plans_are_refused(experiment: Path, mtl: Any, options: list[str], message: str) -> None:
    result = mtl("compare", experiment, *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
