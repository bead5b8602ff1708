"""Networks that do not fit into the memory are refused before their training."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

from mtl_core.errors import MtlError
from mtl_core.runs import memory

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
EXPERIMENT = """
data: {type: table, train: table.csv, numbers: [x, y], labels: [label]}
split: {type: random, validation: 0.2, test: 0.2}
backbone: {type: mlp, hidden_dims: [100, 10]}
tasks:
  - {name: label, kind: binary, head: linear}
training: {epochs: 1}
"""
N_PARAMETERS = 2 * 100 + 100 + 100 * 10 + 10 + 10 + 1


@pytest.fixture
def table_experiment(tmp_path: Path) -> Path:
    rows = "".join(f"{index},{-index},{index % 2}\n" for index in range(20))
    (tmp_path / "table.csv").write_text("x,y,label\n" + rows)
    (tmp_path / "table.yaml").write_text(EXPERIMENT)
    return tmp_path / "table.yaml"


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(("optimizer", "n_copies"), [("adam", 4), ("sgd", 3), ("{type: sgd, momentum: 0}", 2)])
def test_memory_of_a_training_is_foreseen(
    command: str, optimizer: str, n_copies: int, table_experiment: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--out", table_experiment.parent / "run"] if command == "run" else ["--data"]
    settings = ["--set", f"optimizer={optimizer}"]
    needed = n_copies * 4 * N_PARAMETERS
    monkeypatch.setattr(memory, "_get_total_bytes", lambda device: needed - 1)
    result = mtl(command, table_experiment, *settings, *words)
    assert result.returncode == 2
    assert f"error: the network has {N_PARAMETERS:,} parameters; weights, gradients and the state" in result.stderr
    assert re.search(r"need at least \d+\.\d GB, but this machine has \d+\.\d GB; reduce the sizes", result.stderr)
    assert not (table_experiment.parent / "run").exists()
    monkeypatch.setattr(memory, "_get_total_bytes", lambda device: needed)
    assert mtl(command, table_experiment, *settings, *words).returncode == 0


def test_network_that_cannot_be_allocated(table_experiment: Path, mtl: Mtl) -> None:
    out = table_experiment.parent / "run"
    result = mtl("run", table_experiment, "--set", "backbone.hidden_dims=[10000000,10000000]", "--out", out)
    assert result.returncode == 2
    assert "error: the network does not fit into the memory; reduce the sizes of encoder, backbone" in result.stderr
    assert "heads (can't allocate memory: you tried to allocate 400000000000000 bytes." in result.stderr
    assert not out.exists()


def test_single_task_networks_that_cannot_be_allocated(table_experiment: Path, mtl: Mtl) -> None:
    out = table_experiment.parent / "comparison"
    text = table_experiment.read_text().replace("{name: label", '{each: "*"').replace("[label]", "[label, other]")
    table = table_experiment.with_name("table.csv")
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header + ",other", *(f"{row},{row[-1]}" for row in rows)]) + "\n")
    table_experiment.write_text(text)
    settings = ["--set", "backbone.hidden_dims=[10000000,10000000]", "--seeds", "1", "--batched"]
    result = mtl("compare", table_experiment, *settings, "--out", out)
    assert result.returncode == 2
    assert result.stderr.startswith("error: the network does not fit into the memory; reduce the sizes of encoder")
    assert not out.exists()


def test_other_errors_are_not_about_memory() -> None:
    with pytest.raises(RuntimeError, match="a bug"), memory.describe_memory_errors("the network", "hint"):
        raise RuntimeError("a bug")
    message = r"^the network does not fit into the memory; hint \(CUDA out of memory\)$"
    with pytest.raises(MtlError, match=message), memory.describe_memory_errors("the network", "hint"):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_memory_of_this_machine_is_known() -> None:
    total = memory._get_total_bytes(torch.device("cpu"))
    assert total is None or total > 100_000_000
