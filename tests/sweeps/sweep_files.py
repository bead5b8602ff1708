"""Readers for the output of sweeps."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

WriteSweep = Callable[..., Path]
"""The type of the fixture `write_sweep`."""


def load_trials(out: Path) -> list[dict[str, str]]:
    """Return the rows of `trials.csv`."""
    with (out / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def load_deterministic_trials(out: Path) -> list[dict[str, str]]:
    """Return the rows of `trials.csv` without seconds and messages, which differ between sweeps."""
    return [{key: value for key, value in row.items() if key not in {"seconds", "reason"}} for row in load_trials(out)]


def get_error_message(result: Any) -> str:
    """Assert exit code 2 and return the error message of the command."""
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return str(result.stderr)
