"""Interrupted and killed sweeps, and sweeps that lose a worker process; with several processes."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Write, results, rows

TRIALS = "4"
RANDOM = {"sampler": "random"}
"""Independent of results, so that the trials do not depend on the number of processes."""
LONG = {"epochs": 6, "batch_size": 4}


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _until(what: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


def test_after_a_kill_nothing_is_lost_or_counted_twice(
    write: Write, mtl: Any, mtl_fork: Any, tmp_path: Path
) -> None:
    """Kill a sweep of two processes within a trial and resume it with one; compare with an uninterrupted sweep."""
    path = write(sweep=RANDOM, training=LONG)
    killed = tmp_path / "killed"
    process = mtl_fork(tmp_path / "log", "sweep", path, "--trials", TRIALS, "--jobs", "2", "--out", killed)
    _until(lambda: bool(list(killed.glob("trials/000[23]-seed1/checkpoint.safetensors"))) or not process.is_alive())
    process.kill()
    process.join()
    _until(lambda: not _alive(process.pid))  # workers end with their parent
    before = rows(killed)
    assert 0 < len([row for row in before if row["state"] == "complete"]) < int(TRIALS)

    for out in (killed, tmp_path / "whole"):
        done = mtl("sweep", path, "--trials", TRIALS, "--out", out)
        assert done.returncode == 0, done.stderr
    assert results(killed) == results(tmp_path / "whole")
    assert len(rows(killed)) == int(TRIALS)
    done_before = {row["number"]: row for row in before if row["state"] == "complete"}
    assert all(row == done_before[row["number"]] for row in rows(killed) if row["number"] in done_before)


@pytest.mark.usefixtures("copied_workers")
def test_ctrl_c_keeps_what_is_done(write: Write, mtl: Any, mtl_fork: Any, tmp_path: Path) -> None:
    path, out = write(sweep=RANDOM, training=LONG, trials=200), tmp_path / "out"
    process = mtl_fork(tmp_path / "log", "sweep", path, "--jobs", "2", "--out", out)
    _until(lambda: (out / "best.yaml").exists() or not process.is_alive())
    os.killpg(process.pid, signal.SIGINT)  # a terminal signals every process of the group
    process.join(60)
    output = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.exitcode == 130, output
    assert "Traceback" not in output
    assert f"{out / 'best.yaml'} contains the best trial so far" in output
    _until(lambda: not _alive(process.pid))
    assert [row for row in rows(out) if row["state"] == "complete"]
    assert mtl("validate", out / "best.yaml").returncode == 0


@pytest.mark.usefixtures("copied_workers")
def test_a_trial_whose_process_dies_has_failed(write: Write, mtl: Any, tmp_path: Path) -> None:
    space = {"backbone.deadly": {"choices": [False, True]}}
    path = write(space, trials=3, seed=2, backbone={"type": "fragile"}, sweep=RANDOM)
    done = mtl("sweep", path, "--jobs", "2", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    trials = rows(tmp_path / "out")
    assert [row["backbone.deadly"] for row in trials] == ["false", "true", "false"]
    for row in trials:
        deadly = row["backbone.deadly"] == "true"
        assert row["state"] == ("failed" if deadly else "complete")
        assert ("was killed (exit code 3)" in row["reason"]) == deadly
