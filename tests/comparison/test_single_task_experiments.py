"""The experiments of single-task networks are those that are loaded one by one, but validated once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from many_tasks import write_many_tasks

from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import Experiment, dump_config
from mtl_core.experiments.compare.baselines import build_single_task_overrides
from mtl_core.experiments.compare.plan import build_plan
from mtl_core.experiments.compare.single_task_experiments import SingleTaskExperiments
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection

TASKS = [f"t{index}" for index in range(6)]


@dataclass(frozen=True)
class CountingFile(ExperimentFile):
    """An experiment file that records the overrides of each load."""

    loads: list[list[str]] = field(default_factory=list)

    def load(self, overrides: Sequence[str]) -> Experiment:
        self.loads.append(list(overrides))
        return super().load(overrides)


@pytest.mark.parametrize(
    ("blocks", "n_loads"),
    [
        ({}, 1),
        ({"architecture": {"type": "mmoe", "experts": 2}, "weighting": {"type": "label-count"}}, 1),
        ({"training": {"epochs": 1, "select": {"aggregation": "t2"}}}, 6),  # each network selects by its own task
    ],
)
def test_experiments_are_those_of_separate_loads(tmp_path: Path, blocks: dict[str, Any], n_loads: int) -> None:
    source = CountingFile(str(write_many_tasks(tmp_path, **blocks)))
    base = source.load(["seed=3"])
    source.loads.clear()
    experiments = SingleTaskExperiments(source, ["seed=3"], base)
    dumps = set()
    for task in TASKS:
        overrides, experiment = experiments.load(task)
        expected = ExperimentFile(source.experiment).load(["seed=3", *overrides])
        assert overrides == build_single_task_overrides(base.config, task)
        assert dump_config(experiment.config) == dump_config(expected.config)
        assert experiment.config == expected.config
        assert experiment.value == expected.value
        dumps.add(dump_config(experiment.config))
    assert len(dumps) == len(TASKS)
    assert len(source.loads) == n_loads


def test_plan_of_many_separate_networks_loads_few_experiments(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data={"type": "many-tasks", "rows": 60, "tasks": 22})
    source = CountingFile(str(path))
    base = source.load([])
    source.loads.clear()
    plan = build_plan(source, [], base, 1, None, [], tmp_path / "out", SingleTaskSelection(batched=False))
    assert len(plan.trials) == 23
    assert len(source.loads) == 1
