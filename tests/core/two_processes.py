"""The same runs in one process and in two. The two processes execute this module as a script."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment


def run_in_one_and_two_processes(folder: Path, cases: dict[str, dict[str, Any]]) -> None:
    """Run toy experiments in one process and in two, into `one` and `two` in a folder with the experiment's name.

    Args:
        folder: An empty folder.
        cases: The blocks of each experiment, without dropout, which differs between processes.
    """
    from toy import write_experiment

    for name, blocks in cases.items():
        case_dir = folder / name
        case_dir.mkdir()
        no_dropout = {"backbone": {"type": "mlp", "hidden_dims": [8], "dropout": 0.0}}
        write_experiment(case_dir, **{**no_dropout, **blocks})
        run_experiment(load_experiment(case_dir / "toy.yaml").config, case_dir / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*command, str(Path(__file__)), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def main(folder: Path) -> None:
    for case_dir in sorted(path for path in folder.iterdir() if path.is_dir()):
        run_experiment(load_experiment(case_dir / "toy.yaml").config, case_dir / "two")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
