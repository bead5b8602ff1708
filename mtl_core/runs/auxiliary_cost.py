"""The cost of each auxiliary task: parameters, and time per step."""

from collections.abc import Sequence
from copy import deepcopy
from statistics import median
from time import perf_counter

import torch

from mtl_core.artifacts.metrics import AuxiliaryCost
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices, sample_token_mask
from mtl_core.data.fitted_data import FittedData
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork, count_parameters
from mtl_core.plugins.specs import AuxiliarySpec
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.objective import Objective
from mtl_core.training.step import compute_losses

N_BATCHES = 6
"""Number of timed batches."""
N_REPEATS = 3
"""Repetitions per batch; the minimum counts, since other load on the machine only adds time."""
RELATIVE_NOISE = 0.03
"""Relative difference between timings of equal work."""


def measure_auxiliary_costs(
    config: ExperimentConfig, data: FittedData, network: MultiTaskNetwork
) -> list[AuxiliaryCost]:
    """Time steps with and without each auxiliary task, on a copy of the network.

    Args:
        config: The experiment.
        data: The fitted data of the experiment.
        network: The trained network; it is not changed.
    """
    names = [spec.task_name for spec in config.auxiliary]
    if not names:
        return []
    network_copy = deepcopy(network).train()
    objective = Objective(data.groups, config.weighting).to(get_device(network))
    batches = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths).get_batches(0)[:N_BATCHES]
    owners = [task.auxiliary_spec.task_name if task.auxiliary_spec else None for g in data.groups for task in g.tasks]
    disabled_sets = [frozenset[str](), *(frozenset({name}) for name in names)]
    times: dict[frozenset[str], list[float]] = {disabled: [] for disabled in disabled_sets}
    with torch.random.fork_rng():
        for rows in batches:
            fastest = dict.fromkeys(disabled_sets, float("inf"))
            for _ in range(N_REPEATS):
                for disabled in disabled_sets:
                    objective.disable_tasks([owner in disabled for owner in owners])
                    start = perf_counter()
                    _run_step(network_copy, objective, data, rows)
                    fastest[disabled] = min(fastest[disabled], perf_counter() - start)
            for disabled, seconds in fastest.items():
                times[disabled].append(1000 * seconds)
    return [
        _compare_times(spec, _count_parameters(data, network, spec.task_name), times[disabled_sets[0]], times[disabled])
        for spec, disabled in zip(config.auxiliary, disabled_sets[1:], strict=True)
    ]


def _compare_times(
    spec: AuxiliarySpec, parameters: int, all_ms: Sequence[float], without_ms: Sequence[float]
) -> AuxiliaryCost:
    """Compare per batch: batches differ more in length than with and without the task."""
    difference = median(a - b for a, b in zip(all_ms, without_ms, strict=True))
    median_ms = median(all_ms)
    measurable = difference > RELATIVE_NOISE * median_ms
    return AuxiliaryCost(spec.task_name, spec.weight, parameters, median_ms, median_ms - difference, measurable)


def _run_step(network: MultiTaskNetwork, objective: Objective, data: FittedData, rows: RowIndices) -> None:
    batch = data.examples.build_batch(rows, get_device(network), sample_token_mask, objective.active_groups)
    losses = compute_losses(network, objective, batch)
    if len(losses.values):
        objective.compute_total(losses).backward()  # type: ignore[no-untyped-call]
    network.zero_grad()


def _count_parameters(data: FittedData, network: MultiTaskNetwork, name: str) -> int:
    """Count the task-specific parameters of an auxiliary block: the heads, and the task's part of the trunk."""
    count, task_index = 0, 0
    for head, group in zip(network.head_groups(), data.groups, strict=True):
        for task in group.tasks:
            if task.auxiliary_spec is not None and task.auxiliary_spec.task_name == name:
                count += sum(parameter.numel() for parameter in network.trunk.task_parameters(task_index))
                count += sum(parameter[0].numel() for parameter in network.trunk.stacked_parameters())
            task_index += 1
        if group.tasks[0].auxiliary_spec is not None and group.tasks[0].auxiliary_spec.task_name == name:
            count += count_parameters(head)
    return count
