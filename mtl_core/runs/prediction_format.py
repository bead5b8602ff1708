"""The format in which a run writes its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from mtl_core.artifacts.many_tasks import MAX_LISTED_TASKS, has_many_tasks
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.plugins.optional_packages import describe_missing_packages

PredictionFormat = Literal["jsonl", "safetensors", "parquet", "none"]
PYARROW = {"pyarrow": '"mtl-core[parquet]"'}
"""The package that Parquet files need, and the argument of `pip install`."""


def resolve_prediction_format(config: ExperimentConfig, groups: Sequence[TaskGroup]) -> PredictionFormat:
    """Return the format of the predictions of a run.

    Args:
        config: The experiment, whose `predictions` may be `auto`.
        groups: The head groups.

    Raises:
        MtlError: If the experiment requires arrays, but some predictions are no arrays; or Parquet, but pyarrow is
            not installed.
    """
    obstacle = describe_array_obstacle(groups)
    if config.predictions == "auto":
        return "safetensors" if _has_many_main_tasks(groups) and not obstacle else "jsonl"
    if config.predictions in {"safetensors", "parquet"} and obstacle:
        raise MtlError(f"predictions: '{config.predictions}' {obstacle}; use `predictions: jsonl` or `none`")
    check_parquet(config)
    return config.predictions


def check_parquet(config: ExperimentConfig) -> None:
    """Check, before data is loaded, that pyarrow is installed if the experiment writes Parquet.

    Raises:
        MtlError: If it is not.
    """
    if config.predictions == "parquet" and (message := describe_missing_packages(PYARROW)):
        raise MtlError(f"predictions: 'parquet' {message}; `safetensors` needs no further package")


def describe_fallback(config: ExperimentConfig, groups: Sequence[TaskGroup]) -> list[str]:
    """Return a warning if a run of many tasks writes a line per example, since some predictions are no arrays."""
    obstacle = describe_array_obstacle(groups)
    if config.predictions != "auto" or not obstacle or not _has_many_main_tasks(groups):
        return []
    return [
        f"predictions: more than {MAX_LISTED_TASKS} tasks are written to predictions.jsonl, since a compact file "
        f"{obstacle}; `predictions: none` writes no predictions"
    ]


def describe_array_obstacle(groups: Sequence[TaskGroup]) -> str:
    """Return why the predictions of some tasks cannot be written as arrays; empty if all can."""
    for group in groups:
        if group.is_predicted and not can_predict_arrays(group):
            task = group.tasks[0]
            return (
                f"holds one label or number per example and task, which the task '{task.name}' of kind "
                f"'{task.config.kind.type}' does not predict"
            )
    return ""


def can_predict_arrays(group: TaskGroup) -> bool:
    """Return whether the predictions of a head group are arrays: one label, list of labels or number per example."""
    kinds = [task.kind for task in group.tasks]
    if group.tasks[0].config.kind.level != "example" or any(type(kind) is not type(kinds[0]) for kind in kinds):
        return False
    return type(kinds[0]).predict_arrays(kinds, torch.zeros(1, len(kinds), kinds[0].n_outputs)) is not None


def _has_many_main_tasks(groups: Sequence[TaskGroup]) -> bool:
    return has_many_tasks(sum(len(group.tasks) for group in groups if not group.is_auxiliary))
