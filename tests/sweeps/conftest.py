"""A toy experiment with a block `sweep:`, and readers for the output of its sweeps."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy

PARTS = str(Path(__file__).with_name("sweep_components.py"))
SPACE = {
    "optimizer.lr": {"type": "log-uniform", "low": 1.0e-5, "high": 0.1},
    "backbone.hidden_dims": {"choices": [[8], [4, 4]]},
}

WriteSweep = Callable[..., Path]


@pytest.fixture
def write_sweep(tmp_path: Path) -> WriteSweep:
    """Write an experiment: `write(space={...}, trials=4, training={...})`; blocks as for the toy experiment."""

    def write_file(
        space: dict[str, Any] | None = None, trials: int = 6, sweep: dict[str, Any] | None = None, **blocks: Any
    ) -> Path:
        block = {"trials": trials, "space": space or SPACE, **(sweep or {})}
        plugins = [str(Path(toy.__file__).resolve()), PARTS]
        blocks = {"data": {"type": "toy", "rows": 60, "test_rows": 10}, "plugins": plugins, **blocks}
        return toy.write_experiment(tmp_path, sweep=block, **blocks)

    return write_file


def load_trials(out: Path) -> list[dict[str, str]]:
    """Return the rows of `trials.csv`."""
    with (out / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def load_deterministic_trials(out: Path) -> list[dict[str, str]]:
    """Return the rows of `trials.csv` without seconds and messages, which differ between sweeps."""
    return [
        {key: value for key, value in row.items() if key not in {"seconds", "reason"}} for row in load_trials(out)
    ]


def get_error_message(result: Any) -> str:
    """Assert exit code 2 and return the error message of the command."""
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return str(result.stderr)
