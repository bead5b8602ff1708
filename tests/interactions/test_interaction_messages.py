"""The output of the command line: tables and error messages."""

from pathlib import Path
from typing import Any

import pytest
from related import found_in, write_experiment

NAMES = ("up", "up-too", "down")


def test_a_run_tells_and_the_command_shows_tables(tmp_path: Path, mtl: Any) -> None:
    run = tmp_path / "run"
    done = mtl("run", write_experiment(tmp_path, *NAMES), "--out", run)
    assert done.returncode == 0, done.stderr
    assert "conflict: up" in done.stdout
    assert "candidates for separate networks: up, up-too | down" in done.stdout
    shown = mtl("interactions", run)
    assert shown.returncode == 0, shown.stderr
    for title in (
        "mean cosine of gradients",
        "share of steps",
        "steps with both tasks",
        "affinity of the row's task onto the column's",
    ):
        assert title in shown.stdout
    rows = [line.split() for line in shown.stdout.splitlines()]
    cosine, apart, steps, affinity = (row for row in rows if row[:1] == ["up"] and row != [*NAMES])
    assert cosine[1:3] == ["-", "+1.00"]
    assert float(cosine[3]) < -0.5
    assert apart[1:] == ["-", "0%", "100%"]
    assert steps[1:] == ["27", "27", "27"]
    assert affinity[1] == affinity[2]
    assert affinity[3].startswith("-")
    assert "candidates for separate networks" in shown.stdout
    assert str(run / "interactions.json") in shown.stdout


def test_of_many_tasks_the_pairs_at_both_ends_are_listed(tmp_path: Path, mtl: Any) -> None:
    tasks = [
        {"name": f"{name}{copy}", "label": name, "kind": "regression", "head": "read-out"}
        for copy in range(4)
        for name in NAMES
    ]
    path = write_experiment(tmp_path, tasks=tasks, interactions={"every": 5})
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    shown = mtl("interactions", tmp_path / "run").stdout
    assert "20 of 66 pairs" in shown
    assert "-0." in shown
    assert "+1.00" in shown


def test_a_run_that_did_not_measure_says_how_to(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, *NAMES, interactions=None)
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    done = mtl("interactions", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'run'}: this run did not measure")
    assert f'`mtl run {tmp_path / "run" / "config.yaml"} --set "interactions={{every: 20, affinity: true}}"`' in (
        done.stderr
    )
    again = mtl(
        "run",
        tmp_path / "run" / "config.yaml",
        *("--set", "interactions={every: 20, affinity: true}"),
        *("--out", tmp_path / "second"),
    )
    assert again.returncode == 0, again.stderr
    assert mtl("interactions", tmp_path / "second").returncode == 0


def test_a_folder_that_is_no_run_and_a_damaged_file_are_refused(tmp_path: Path, mtl: Any) -> None:
    assert "no such run directory" in mtl("interactions", tmp_path / "nowhere").stderr
    path = write_experiment(tmp_path, *NAMES)
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    (tmp_path / "run" / "interactions.json").write_text('{"tasks": ["up"]}')
    done = mtl("interactions", tmp_path / "run")
    assert done.returncode == 2
    assert "interactions.json: damaged" in done.stderr


SOFT = {"architecture": {"type": "soft-sharing", "strength": 0.1}, "head": "linear"}
MISTAKES: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
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
    "every 0": (NAMES, {"interactions": {"every": 0}}, "interactions.every: "),
    "one network": (NAMES, {"interactions": {"networks": 1}}, "interactions.networks: "),
    "misspelt": (NAMES, {"interactions": {"afinity": True}}, "did you mean 'affinity'?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_measured_is_refused_before_training(tmp_path: Path, mtl: Any, name: str) -> None:
    tasks, blocks, message = MISTAKES[name]
    done = mtl("run", write_experiment(tmp_path, *tasks, **blocks), "--out", tmp_path / "run")
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_one_task_of_several_that_is_learned_alone_is_let_pass(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, *NAMES)
    done = mtl("run", path, "--set", "learn=[up]", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / "interactions.json").exists()


def test_every_key_of_the_file_is_documented(tmp_path: Path, mtl: Any) -> None:
    helper = {"type": "inverse", "name": "friend", "label": "aside", "kind": "regression", "head": "read-out"}
    path = write_experiment(tmp_path, *NAMES, auxiliary=[helper])
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    page = Path(__file__).parents[2] / "docs" / "reference" / "run-directory.md"
    section = page.read_text(encoding="utf-8").split("## interactions.json")[1].split("\n## ")[0]
    found = found_in(tmp_path / "run")
    keys = {*found, *found["over_time"][0], *found["groups"]["2"], *found["auxiliary"]["friend"]}
    assert len(keys) >= 20
    assert not {key for key in keys if f"`{key}`" not in section}


def test_ablations_train_a_task_alone_without_looking(tmp_path: Path, mtl: Any) -> None:
    helper = {"type": "inverse", "name": "friend", "label": "aside", "kind": "regression", "head": "read-out"}
    path = write_experiment(tmp_path, "up", auxiliary=[helper], training={"epochs": 1})
    done = mtl("ablate", path, "--seeds", 1, "--out", tmp_path / "ablation")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "ablation").rglob("interactions.json"))
