"""Measured task interactions of a run, as in `interactions.json`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.evaluation.task_grouping import Networks, compute_pair_weights, find_grouping
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.running_means import SplitHalfMeans

Row = list[float | None]
"""One number per task; None where nothing was observed."""
Matrix = list[Row]
"""One row and one column per task."""


@dataclass(frozen=True)
class EpochCosine:
    """The mean cosines of gradients in one epoch, counted from 1."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class AuxiliaryInteraction:
    """The interaction of an auxiliary task with the main tasks.

    Attributes:
        steps: Number of observed steps with the task and a main task.
        cosine: Mean cosine between its gradient and the sum of the main tasks' gradients.
        cosine_error: The standard error of `cosine`.
        conflicts: Fraction of the steps in which the cosine is negative.
        affinity: Mean affinity onto the main tasks in the batch; None if it was not measured.
        affinity_error: The standard error of `affinity`.
        affinity_steps: Number of steps with a measured affinity.
    """

    steps: int
    cosine: float | None
    cosine_error: float | None
    conflicts: float | None
    affinity: float | None
    affinity_error: float | None
    affinity_steps: int


@dataclass(frozen=True)
class TaskGrouping:
    """A grouping of the main tasks into networks, chosen on every second observed step and checked on the others.

    Attributes:
        networks: The task names of each network.
        criterion: The criterion: `affinity`, or `cosine` where affinity was not measured.
        improvement: Improvement of the objective (the sum over tasks of the mean influence from the other tasks in the
            network) over one network for all tasks, on the steps that were not used for the choice.
        error: The standard error of `improvement`, if pairs and steps were independent; None if it is unknown.
        steps: Minimum over pairs of the number of steps that contain the pair and were not used for the choice;
            pairs that were never observed together are ignored.
        unknown_pairs: Number of pairs that were never observed together; they count as having no influence.
    """

    networks: list[list[str]]
    criterion: str
    improvement: float
    error: float | None
    steps: int
    unknown_pairs: int


@dataclass(frozen=True)
class TaskInteractions:
    """The measured task interactions of a run.

    Attributes:
        tasks: Task names: main tasks, then auxiliary tasks.
        observed_steps: Number of observed steps.
        cosine: Mean cosine between the gradients of each pair of tasks.
        cosine_error: The standard errors of `cosine`.
        conflicts: Fraction of the steps in which the cosine is negative, per pair.
        steps: Number of steps with both tasks, per pair.
        norms: Mean gradient norm per task.
        by_epoch: The mean cosines of each epoch with an observed step.
        affinity: Mean affinity of the row's task onto the column's task; None if it was not measured.
        affinity_error: The standard errors of `affinity`.
        groupings: Maximum number of networks to grouping of the main tasks; None for a single main task.
        auxiliary: Name of each auxiliary task to its interaction with the main tasks.
    """

    tasks: list[str]
    observed_steps: int
    cosine: Matrix
    cosine_error: Matrix
    conflicts: Matrix
    steps: list[list[int]]
    norms: Row
    by_epoch: list[EpochCosine]
    affinity: Matrix | None
    affinity_error: Matrix | None
    groupings: dict[str, TaskGrouping] | None
    auxiliary: dict[str, AuxiliaryInteraction]


def summarize_interactions(observer: InteractionObserver) -> TaskInteractions:
    """Summarize the statistics of an observer."""
    cosine, affinity = observer.cosine.combine(), observer.affinity.combine()
    with_affinity = bool(affinity.count.any())
    main_names = observer.names[: observer.n_main]
    max_networks = min(observer.settings.max_groups, len(main_names))
    criterion, halves = ("affinity", observer.affinity) if with_affinity else ("cosine", observer.cosine)
    return TaskInteractions(
        tasks=observer.names,
        observed_steps=int(observer.n_observed_steps),
        cosine=_to_matrix(cosine.mean()),
        cosine_error=_to_matrix(cosine.standard_error()),
        conflicts=_to_matrix(observer.conflicts.mean()),
        steps=cosine.count.tolist(),
        norms=_to_row(observer.norms.mean()),
        by_epoch=[
            EpochCosine(epoch, _to_matrix(cosines))
            for epoch, cosines in enumerate(observer.cosine_history, start=1)
            if not bool(cosines.isnan().all())
        ],
        affinity=_to_matrix(affinity.mean()) if with_affinity else None,
        affinity_error=_to_matrix(affinity.standard_error()) if with_affinity else None,
        groupings={
            str(n_networks): _choose_grouping(halves, main_names, n_networks, criterion)
            for n_networks in range(2, max_networks + 1)
        }
        or None,
        auxiliary=_summarize_auxiliary(observer),
    )


def _choose_grouping(
    halves: SplitHalfMeans, main_names: Sequence[str], max_networks: int, criterion: str
) -> TaskGrouping:
    """Choose a grouping on one half of the steps, and evaluate it on the other to avoid selection bias."""
    size = len(main_names)
    grouping: Networks = find_grouping(halves.selection.mean()[:size, :size].numpy(), max_networks)
    mean, error, count = (
        tensor[:size, :size].numpy()
        for tensor in (halves.validation.mean(), halves.validation.standard_error(), halves.validation.count)
    )
    weight_differences = compute_pair_weights(size, grouping) - compute_pair_weights(size, [list(range(size))])
    pairs = ~np.eye(size, dtype=bool)
    never_observed = pairs & (halves.combine().count[:size, :size].numpy() == 0)
    is_relevant = (weight_differences != 0) & ~never_observed
    standard_error = float(np.sqrt((weight_differences[is_relevant] ** 2 * error[is_relevant] ** 2).sum()))
    return TaskGrouping(
        [[main_names[index] for index in network] for network in grouping],
        criterion,
        float((weight_differences[is_relevant] * np.nan_to_num(mean[is_relevant], nan=0.0)).sum()),
        _round_number(standard_error) if is_relevant.any() else None,
        int(count[pairs & ~never_observed].min()) if not never_observed[pairs].all() else 0,
        int(never_observed.sum()) // 2,
    )


def _summarize_auxiliary(observer: InteractionObserver) -> dict[str, AuxiliaryInteraction]:
    cosine, affinity = observer.auxiliary_cosine, observer.auxiliary_affinity
    columns = [
        cosine.count.tolist(),
        _to_row(cosine.mean()),
        _to_row(cosine.standard_error()),
        _to_row(observer.auxiliary_conflicts.mean()),
        _to_row(affinity.mean()),
        _to_row(affinity.standard_error()),
        affinity.count.tolist(),
    ]
    names = observer.names[observer.n_main :]
    return {name: AuxiliaryInteraction(*cells) for name, *cells in zip(names, *columns, strict=True)}


def _to_matrix(values: torch.Tensor) -> Matrix:
    return [_to_row(row) for row in values]


def _to_row(values: torch.Tensor) -> Row:
    return [_round_number(value) for value in values.tolist()]


def _round_number(value: float) -> float | None:
    """Round to six significant digits; None for NaN, which JSON does not support."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
