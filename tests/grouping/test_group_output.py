"""The terminal output of `mtl group` has at most 40 lines, however many tasks there are."""

from pathlib import Path

import pytest

from mtl_core.artifacts.groups import GroupChoice, TaskGroups
from mtl_core.cli.group import describe_choice, describe_division
from mtl_core.experiments.group.network_files import NetworkFile
from mtl_core.experiments.group.run_group import Division
from mtl_core.experiments.trials import Trial


@pytest.mark.parametrize("n_networks", [2, 8, 100])
def test_output_of_617_tasks_is_short(n_networks: int) -> None:
    tasks = [f"assay {index}" for index in range(617)]
    networks = [tasks[start::n_networks] for start in range(n_networks)]
    groups = TaskGroups("toxcast", 0, networks, n_networks, "features", 7, 300, 12, 2.0, 1.0, 2.5)
    files = [NetworkFile(Path(f"group-{number}.yaml"), network) for number, network in enumerate(networks, start=1)]
    division = Division(groups, tasks, files, Trial("affinity", 0, None, [], Path("affinity")))
    lines = list(describe_division(division))
    lines += describe_choice(GroupChoice("grouped", ["a", "b"], ["c", "d"]), "test")
    assert len(lines) < 25
    assert all(len(line) < 250 for line in lines)
    assert "gradients at the features that heads read, 300 steps in 7 epochs; 12 pairs of tasks have no" in lines[0]
    assert "at most 20.0 % below the optimum" in "\n".join(lines)
    assert (f"and {n_networks - 10} more networks" in lines) == (n_networks > 10)
