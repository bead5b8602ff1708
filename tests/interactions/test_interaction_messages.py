"""The output of the command line: tables and error messages."""

from pathlib import Path
from typing import Any

import pytest
from related import load_interactions, write_experiment

pytestmark = pytest.mark.usefixtures("placeholder_reports")

NAMES = ("up", "up-too", "down")


def test_run_and_command_print_interactions(tmp_path: Path, mtl: Any) -> None:
    run_dir = tmp_path / "run"
    run_result = mtl("run", write_experiment(tmp_path, *NAMES), "--out", run_dir)
    assert run_result.returncode == 0, run_result.stderr
    assert "conflict: up" in run_result.stdout
    assert "candidates for separate networks: up, up-too | down" in run_result.stdout
    command_result = mtl("interactions", run_dir)
    assert command_result.returncode == 0, command_result.stderr
    for title in (
        "mean cosine of gradients",
        "share of steps",
        "steps with both tasks",
        "affinity of the row's task onto the column's",
    ):
        assert title in command_result.stdout
    rows = [line.split() for line in command_result.stdout.splitlines()]
    cosine, conflicts, steps, affinity = (row for row in rows if row[:1] == ["up"] and row != [*NAMES])
    assert cosine[1:3] == ["-", "+1.00"]
    assert float(cosine[3]) < -0.5
    assert conflicts[1:] == ["-", "0%", "100%"]
    assert steps[1:] == ["27", "27", "27"]
    assert affinity[1] == affinity[2]
    assert affinity[3].startswith("-")
    assert "candidates for separate networks" in command_result.stdout
    assert str(run_dir / "interactions.json") in command_result.stdout


def test_extreme_pairs_of_many_tasks_are_printed(tmp_path: Path, mtl: Any) -> None:
    tasks = [
        {"name": f"{name}{copy}", "label": name, "kind": "regression", "head": "read-out"}
        for copy in range(4)
        for name in NAMES
    ]
    path = write_experiment(tmp_path, tasks=tasks, interactions={"every_n_steps": 5})
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    output = mtl("interactions", tmp_path / "run").stdout
    assert "20 of 66 pairs" in output
    assert "-0." in output
    assert "+1.00" in output


def test_run_without_interactions_reports_how_to_measure(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, *NAMES, interactions=None)
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    result = mtl("interactions", tmp_path / "run")
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {tmp_path / 'run'}: this run did not measure")
    assert (
        f'`mtl run {tmp_path / "run" / "config.yaml"} --set "interactions={{every_n_steps: 20, affinity: true}}"`'
        in (result.stderr)
    )
    second_run = mtl(
        "run",
        tmp_path / "run" / "config.yaml",
        *("--set", "interactions={every_n_steps: 20, affinity: true}"),
        *("--out", tmp_path / "second"),
    )
    assert second_run.returncode == 0, second_run.stderr
    assert mtl("interactions", tmp_path / "second").returncode == 0


def test_missing_run_and_damaged_file_are_rejected(tmp_path: Path, mtl: Any) -> None:
    assert "no such run directory" in mtl("interactions", tmp_path / "nowhere").stderr
    path = write_experiment(tmp_path, *NAMES)
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    (tmp_path / "run" / "interactions.json").write_text('{"tasks": ["up"]}')
    result = mtl("interactions", tmp_path / "run")
    assert result.returncode == 2
    assert "interactions.json: damaged" in result.stderr


SOFT = {"architecture": {"type": "soft-sharing", "strength": 0.1}, "head": "linear"}
INVALID_EXPERIMENTS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "one task": (("up",), {}, "compares the gradients of several tasks, but 'up' is the only one; remove"),
    "nothing shared": (
        NAMES,
        SOFT,
        "with the architecture 'soft-sharing' and the backbone 'one-layer' they share none",
    ),
    "no backbone": (NAMES, {"backbone": "identity", "head": "linear"}, "they share none that is trained"),
    "fp16": (
        NAMES,
        {"training": {"precision": "fp16"}},
        "training.precision: `interactions` compares gradients, which are not available in fp16",
    ),
    "every 0": (NAMES, {"interactions": {"every_n_steps": 0}}, "interactions.every_n_steps: "),
    "one network": (NAMES, {"interactions": {"max_groups": 1}}, "interactions.max_groups: "),
    "misspelt": (NAMES, {"interactions": {"afinity": True}}, "did you mean 'affinity'?"),
}


@pytest.mark.parametrize("name", INVALID_EXPERIMENTS)
def test_unmeasurable_experiment_is_rejected_before_training(tmp_path: Path, mtl: Any, name: str) -> None:
    tasks, blocks, message = INVALID_EXPERIMENTS[name]
    result = mtl("run", write_experiment(tmp_path, *tasks, **blocks), "--out", tmp_path / "run")
    assert result.returncode == 2, result.stdout
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


def test_single_active_task_of_several_is_accepted(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, *NAMES)
    result = mtl("run", path, "--set", "active_tasks=[up]", "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "run" / "interactions.json").exists()


def test_every_key_of_the_file_is_documented(tmp_path: Path, mtl: Any) -> None:
    auxiliary_task = {
        "type": "auxiliary-target",
        "name": "friend",
        "label": "aside",
        "kind": "regression",
        "head": "read-out",
    }
    path = write_experiment(tmp_path, *NAMES, auxiliary=[auxiliary_task])
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    page = Path(__file__).parents[2] / "docs" / "reference" / "run-directory.md"
    section = page.read_text(encoding="utf-8").split("## interactions.json")[1].split("\n## ")[0]
    interactions = load_interactions(tmp_path / "run")
    keys = {
        *interactions,
        *interactions["by_epoch"][0],
        *interactions["groupings"]["2"],
        *interactions["auxiliary"]["friend"],
    }
    assert len(keys) >= 20
    assert not {key for key in keys if f"`{key}`" not in section}


def test_ablation_trains_a_single_task_without_observing(tmp_path: Path, mtl: Any) -> None:
    auxiliary_task = {
        "type": "auxiliary-target",
        "name": "friend",
        "label": "aside",
        "kind": "regression",
        "head": "read-out",
    }
    path = write_experiment(tmp_path, "up", auxiliary=[auxiliary_task], training={"epochs": 1})
    result = mtl("ablate", path, "--seeds", 1, "--out", tmp_path / "ablation")
    assert result.returncode == 0, result.stderr
    assert not list((tmp_path / "ablation").rglob("interactions.json"))
