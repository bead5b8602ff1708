"""An environment in which processes would not train together is refused; test_distributed.py starts real processes."""

from pathlib import Path
from typing import Any

import pytest

from mtl_core.errors import MtlError
from mtl_core.training.process_group import check_world_size


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "2"}, "the environment variable WORLD_SIZE is 2, but RANK is not set"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "OMPI_COMM_WORLD_SIZE is 2, but RANK is not set"),
        ({"WORLD_SIZE": "two", "RANK": "0"}, "WORLD_SIZE is 'two', expected a whole number from 1"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "127.0.0.1"},
            "RANK is 2, but WORLD_SIZE is 2; expected a rank below",
        ),
        ({"RANK": "1"}, "RANK is 1, but WORLD_SIZE is not set; expected a rank below"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE is 2, but MASTER_ADDR is not set: no launcher has started"),
        (
            {"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "127.0.0.1"},
            "`accelerate launch` was told to start several processes, but has started one",
        ),
    ],
)
def test_environment_of_no_launcher_is_refused(
    variables: dict[str, str],
    message: str,
    mtl: Any,
    toy_experiment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = mtl("run", toy_experiment, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("error: ") == 1
    assert not (tmp_path / "run").exists()


def set_environment(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    """Set the variables that `torchrun` sets for two processes."""
    for name, value in {"WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}.items():
        monkeypatch.setenv(name, value)


def test_accelerator_with_fewer_processes_than_the_launcher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, rank=0)
    with pytest.raises(MtlError, match=r"has started 2 processes .* contains 1 and the accelerator 1: each process"):
        check_world_size(1)


def test_other_commands_are_refused_in_several_processes(
    mtl: Any, toy_experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, rank=1)
    result = mtl("compare", toy_experiment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    set_environment(monkeypatch, rank=0)
    result = mtl("compare", toy_experiment)
    assert result.returncode == 2
    assert "error: `mtl compare` runs in one process, but a launcher has started 2" in result.stderr
