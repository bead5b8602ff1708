"""The same runs in one process and in two. The two processes execute this module as a script."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placeholder_reports import write_placeholder_reports

from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment

LAUNCHER = ["accelerate", "launch", "--multi_gpu", "--num_processes", "2"]
"""The command of the documentation that starts two processes; the documentation's tests execute `torchrun`."""
LOST = "lost"
"""The case in which one rank fails during training, and the other loses the connection: the last one."""


@dataclass(frozen=True)
class Outcome:
    """What one rank printed and how it ended."""

    code: int
    stdout: str
    stderr: str


def run_in_one_and_two_processes(
    folder: Path, cases: dict[str, dict[str, Any]], failing: dict[str, dict[str, Any]], commands: Sequence[str]
) -> None:
    """Run toy experiments in one process and in two, into `one` and `two` in a folder with the experiment's name.

    Args:
        folder: An empty folder.
        cases: The blocks of each experiment.
        failing: The blocks of experiments that fail in two processes; they do not run in one process.
        commands: The experiments that two processes run with the command line.
    """
    for name, blocks in {**cases, **failing}.items():
        write_case(folder / name, blocks)
        if name in cases:
            run_experiment(load_experiment(folder / name / "toy.yaml").config, folder / name / "one")
    words = [f"{name}:{'command' if name in commands else 'function'}" for name in {**cases, **failing}]
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    result = subprocess.run(
        [f"{sysconfig.get_path('scripts')}/{LAUNCHER[0]}", *LAUNCHER[1:], __file__, str(folder), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def write_case(case_dir: Path, blocks: dict[str, Any]) -> None:
    """Write the experiment of a case; without dropout, which differs between processes."""
    import recording_components
    import toy

    (case_dir / "records").mkdir(parents=True)
    backbone = {"type": "recording", "folder": str(case_dir / "records"), **blocks.get("backbone", {})}
    plugins = [toy.__file__, recording_components.__file__]
    toy.write_experiment(case_dir, **{"split": "random", **blocks, "plugins": plugins, "backbone": backbone})


def execute_commands(case_dir: Path, rank: str) -> None:
    """Execute `mtl run` in this rank, and `mtl resume` if the run is interrupted."""
    words = ["run", str(case_dir / "toy.yaml"), "--out", str(case_dir / "two")]
    outcome = execute_command(words)
    write_outcome(case_dir / "records" / f"run-{rank}", outcome)
    if outcome.code == 130:
        if rank == "0":
            shutil.copytree(case_dir / "two", case_dir / "records" / "interrupted")
        write_outcome(case_dir / "records" / f"resume-{rank}", execute_command(["resume", str(case_dir / "two")]))


def execute_command(words: list[str]) -> Outcome:
    """Execute a command line like `python -m mtl_core`."""
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            with write_placeholder_reports():  # in each rank, figures take longer than the training
                main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception:  # noqa: BLE001  # the launcher would end the other rank
            traceback.print_exc()
            code = 1
    return Outcome(code, stdout.getvalue(), stderr.getvalue())


def write_outcome(path: Path, outcome: Outcome) -> None:
    path.with_suffix(".out").write_text(outcome.stdout, encoding="utf-8")
    path.with_suffix(".err").write_text(outcome.stderr, encoding="utf-8")
    path.with_suffix(".code").write_text(str(outcome.code), encoding="utf-8")


def read_outcome(path: Path) -> Outcome:
    """Read what a rank printed and how it ended; `path` is that of its files without suffix."""
    texts = [path.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".code", ".out", ".err")]
    return Outcome(int(texts[0]), texts[1], texts[2])


if __name__ == "__main__":
    from accelerate import PartialState
    from torch import distributed

    PartialState()  # as a library might do: on the CPU, Accelerate then reports one process
    for word in sys.argv[2:]:
        case_name, _, way = word.partition(":")
        directory = Path(sys.argv[1]) / case_name
        if way == "command":
            execute_commands(directory, os.environ["RANK"])
        else:
            run_experiment(load_experiment(directory / "toy.yaml").config, directory / "two")
        if case_name == LOST and os.environ["RANK"] == "1":
            distributed.destroy_process_group()
