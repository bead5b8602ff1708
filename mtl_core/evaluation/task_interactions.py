"""Summarize the task interactions that an observer measured during a run."""

from collections.abc import Sequence

import numpy as np
import torch

from mtl_core.artifacts.interactions import (
    AuxiliaryInteraction,
    EpochCosine,
    Matrix,
    Row,
    TaskGrouping,
    TaskInteractions,
)
from mtl_core.evaluation.task_grouping import Networks, compute_pair_weights, find_grouping
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.running_means import SplitHalfMeans

MAX_DETAILED_TASKS = 50
"""Maximum number of tasks for cosines per epoch and for groupings; `mtl group` divides more tasks."""


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
            if len(observer.names) <= MAX_DETAILED_TASKS and not bool(cosines.isnan().all())
        ],
        affinity=_to_matrix(affinity.mean()) if with_affinity else None,
        affinity_error=_to_matrix(affinity.standard_error()) if with_affinity else None,
        groupings={
            str(n_networks): _choose_grouping(halves, main_names, n_networks, criterion)
            for n_networks in range(2, max_networks + 1)
            if len(main_names) <= MAX_DETAILED_TASKS
        }
        or None,
        auxiliary=_summarize_auxiliary(observer),
        gradients=observer.settings.gradients,
    )


def _choose_grouping(
    halves: SplitHalfMeans, main_names: Sequence[str], max_networks: int, criterion: str
) -> TaskGrouping:
    """Choose a grouping on one half of the steps, and evaluate it on the other to avoid selection bias."""
    size = len(main_names)
    solution = find_grouping(halves.selection.mean()[:size, :size].numpy(), max_networks)
    grouping: Networks = solution.networks
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
