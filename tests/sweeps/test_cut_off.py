"""Interrupted and killed sweeps, and sweeps that lose a worker process; with several processes."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_files import WriteSweep, load_deterministic_trials, load_trials

N_TRIALS = "4"
RANDOM_SAMPLER = {"sampler": "random"}
"""Independent of results, so that the trials do not depend on the number of processes."""
LONG_TRAINING = {"epochs": 6, "batch_size": 4}


def _is_alive(process_group: int) -> bool:
    try:
        os.killpg(process_group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


def test_killed_sweep_resumes_without_loss_or_duplicates(
    write_sweep: WriteSweep, mtl: Any, mtl_fork: Any, tmp_path: Path
) -> None:
    """Kill a sweep of two processes within a trial and resume it with one; compare with an uninterrupted sweep."""
    path = write_sweep(sweep=RANDOM_SAMPLER, training=LONG_TRAINING)
    killed_dir = tmp_path / "killed"
    process = mtl_fork(tmp_path / "log", "sweep", path, "--trials", N_TRIALS, "--jobs", "2", "--out", killed_dir)
    _wait_until(
        lambda: bool(list(killed_dir.glob("trials/000[23]-seed1/checkpoint.safetensors"))) or not process.is_alive()
    )
    process.kill()
    process.join()
    _wait_until(lambda: not _is_alive(process.pid))  # workers end with their parent
    trials_before = load_trials(killed_dir)
    assert 0 < len([row for row in trials_before if row["state"] == "complete"]) < int(N_TRIALS)

    for output_dir in (killed_dir, tmp_path / "whole"):
        result = mtl("sweep", path, "--trials", N_TRIALS, "--out", output_dir)
        assert result.returncode == 0, result.stderr
    assert load_deterministic_trials(killed_dir) == load_deterministic_trials(tmp_path / "whole")
    assert len(load_trials(killed_dir)) == int(N_TRIALS)
    complete_before = {row["number"]: row for row in trials_before if row["state"] == "complete"}
    assert all(
        row == complete_before[row["number"]] for row in load_trials(killed_dir) if row["number"] in complete_before
    )


@pytest.mark.usefixtures("forked_workers")
def test_keyboard_interrupt_keeps_complete_trials(
    write_sweep: WriteSweep, mtl: Any, mtl_fork: Any, tmp_path: Path
) -> None:
    path, out = write_sweep(sweep=RANDOM_SAMPLER, training=LONG_TRAINING, trials=200), tmp_path / "out"
    process = mtl_fork(tmp_path / "log", "sweep", path, "--jobs", "2", "--out", out)
    _wait_until(lambda: (out / "best.yaml").exists() or not process.is_alive())
    os.killpg(process.pid, signal.SIGINT)  # a terminal signals every process of the group
    process.join(60)
    output = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.exitcode == 130, output
    assert "Traceback" not in output
    assert f"{out / 'best.yaml'} contains the best trial so far" in output
    _wait_until(lambda: not _is_alive(process.pid))
    assert [row for row in load_trials(out) if row["state"] == "complete"]
    assert mtl("validate", out / "best.yaml").returncode == 0


@pytest.mark.usefixtures("forked_workers")
def test_trial_whose_process_dies_is_failed(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    space = {"backbone.deadly": {"choices": [False, True]}}
    path = write_sweep(space, trials=3, seed=2, backbone={"type": "fragile"}, sweep=RANDOM_SAMPLER)
    result = mtl("sweep", path, "--jobs", "2", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    trials = load_trials(tmp_path / "out")
    assert [row["backbone.deadly"] for row in trials] == ["false", "true", "false"]
    for row in trials:
        is_deadly = row["backbone.deadly"] == "true"
        assert row["state"] == ("failed" if is_deadly else "complete")
        assert ("was killed (exit code 3)" in row["reason"]) == is_deadly
