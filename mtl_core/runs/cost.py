"""The cost of each auxiliary task: parameters, and time per step."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.model.network import MultiTaskNetwork, parameter_count
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.saved import device_of
from mtl_core.specs import AuxiliarySpec
from mtl_core.training.batches import Rows, hide_at_random
from mtl_core.training.objective import Objective
from mtl_core.training.order import training_order
from mtl_core.training.step import batch_losses

BATCHES = 6
"""Number of timed batches."""
ROUNDS = 3
"""Repetitions per batch; the minimum counts, since other load on the machine only adds time."""
NOISE = 0.03
"""Relative difference between timings of equal work."""


@dataclass(frozen=True)
class AuxiliaryCost:
    """The cost of one auxiliary task.

    Attributes:
        name: The task.
        weight: The initial weight of its loss, before any schedule.
        parameters: Number of task-specific parameters: in the heads and in task-specific features.
        step_ms: Milliseconds per forward and backward pass with all tasks.
        without_ms: The same without this task.
        measurable: Whether the difference exceeds the noise of such timings.
    """

    name: str
    weight: float
    parameters: int
    step_ms: float
    without_ms: float
    measurable: bool


def auxiliary_costs(config: ExperimentConfig, prepared: Prepared, network: MultiTaskNetwork) -> list[AuxiliaryCost]:
    """Time steps with and without each auxiliary task, on a copy of the network.

    Args:
        config: The experiment.
        prepared: The fitted data of the experiment.
        network: The trained network; it is not changed.
    """
    names = [spec.task_name for spec in config.auxiliary]
    if not names:
        return []
    copy = deepcopy(network).train()
    objective = Objective(prepared.groups, config.weighting).to(device_of(network))
    batches = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths).epoch(0)[:BATCHES]
    owners = [task.auxiliary.task_name if task.auxiliary else None for g in prepared.groups for task in g.tasks]
    states = [frozenset[str](), *(frozenset({name}) for name in names)]
    times: dict[frozenset[str], list[float]] = {state: [] for state in states}
    with torch.random.fork_rng():
        for rows in batches:
            best = dict.fromkeys(states, float("inf"))
            for _ in range(ROUNDS):
                for state in states:
                    objective.mute([owner in state for owner in owners])
                    start = perf_counter()
                    _step(copy, objective, prepared, rows)
                    best[state] = min(best[state], perf_counter() - start)
            for state, seconds in best.items():
                times[state].append(1000 * seconds)
    return [
        _cost(spec, _parameters(prepared, network, spec.task_name), times[states[0]], times[state])
        for spec, state in zip(config.auxiliary, states[1:], strict=True)
    ]


def _cost(spec: AuxiliarySpec, parameters: int, whole: Sequence[float], without: Sequence[float]) -> AuxiliaryCost:
    """Compare per batch: batches differ more in length than with and without the task."""
    more = median(a - b for a, b in zip(whole, without, strict=True))
    typical = median(whole)
    measurable = more > NOISE * typical
    return AuxiliaryCost(spec.task_name, spec.weight, parameters, typical, typical - more, measurable)


def _step(network: MultiTaskNetwork, objective: Objective, prepared: Prepared, rows: Rows) -> None:
    batch = prepared.examples.batch(rows, device_of(network), hide_at_random, objective.needed)
    losses = batch_losses(network, objective, batch)
    if len(losses.values):
        objective.total(losses).backward()  # type: ignore[no-untyped-call]
    network.zero_grad()


def _parameters(prepared: Prepared, network: MultiTaskNetwork, name: str) -> int:
    """Count the task-specific parameters of an auxiliary block: the heads, and the task's part of the trunk."""
    count, place = 0, 0
    for head, group in zip(network.head_groups(), prepared.groups, strict=True):
        for task in group.tasks:
            if task.auxiliary is not None and task.auxiliary.task_name == name:
                count += sum(parameter.numel() for parameter in network.body.task_parameters(place))
            place += 1
        if group.tasks[0].auxiliary is not None and group.tasks[0].auxiliary.task_name == name:
            count += parameter_count(head)
    return count
