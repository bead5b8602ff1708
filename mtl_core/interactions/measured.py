"""Measured task interactions of a run, as in `interactions.json`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.interactions.dividing import Networks, divide, shares
from mtl_core.training.interactions import InteractionObserver
from mtl_core.training.running_means import HalvedMeans

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
class Helper:
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
class Division:
    """A grouping of the main tasks into networks, chosen on every second observed step and checked on the others.

    Attributes:
        networks: The task names of each network.
        by: The criterion: `affinity`, or `cosine` where affinity was not measured.
        gain: Improvement of the objective (the sum over tasks of the mean influence from the other tasks in the
            network) over one network for all tasks, on the steps that were not used for the choice.
        error: The standard error of `gain`, if pairs and steps were independent; None if it is unknown.
        steps: Minimum over pairs of the number of steps that contain the pair and were not used for the choice;
            pairs that were never observed together are ignored.
        unknown: Number of pairs that were never observed together; they count as having no influence.
    """

    networks: list[list[str]]
    by: str
    gain: float
    error: float | None
    steps: int
    unknown: int


@dataclass(frozen=True)
class Measured:
    """The measured task interactions of a run.

    Attributes:
        tasks: Task names: main tasks, then auxiliary tasks.
        observed: Number of observed steps.
        cosine: Mean cosine between the gradients of each pair of tasks.
        cosine_error: The standard errors of `cosine`.
        conflicts: Fraction of the steps in which the cosine is negative, per pair.
        steps: Number of steps with both tasks, per pair.
        norms: Mean gradient norm per task.
        over_time: The mean cosines of each epoch with an observed step.
        affinity: Mean affinity of the row's task onto the column's task; None if it was not measured.
        affinity_error: The standard errors of `affinity`.
        groups: Maximum number of networks to grouping of the main tasks; None for a single main task.
        auxiliary: Name of each auxiliary task to its interaction with the main tasks.
    """

    tasks: list[str]
    observed: int
    cosine: Matrix
    cosine_error: Matrix
    conflicts: Matrix
    steps: list[list[int]]
    norms: Row
    over_time: list[EpochCosine]
    affinity: Matrix | None
    affinity_error: Matrix | None
    groups: dict[str, Division] | None
    auxiliary: dict[str, Helper]


def measured(observer: InteractionObserver) -> Measured:
    """Summarize the statistics of an observer."""
    cosine, affinity = observer.cosine.whole(), observer.affinity.whole()
    with_affinity = bool(affinity.count.any())
    main = observer.names[: observer.main]
    most = min(observer.settings.networks, len(main))
    by, halves = ("affinity", observer.affinity) if with_affinity else ("cosine", observer.cosine)
    return Measured(
        tasks=observer.names,
        observed=int(observer.observed),
        cosine=_matrix(cosine.mean()),
        cosine_error=_matrix(cosine.error()),
        conflicts=_matrix(observer.conflicts.mean()),
        steps=cosine.count.tolist(),
        norms=_row(observer.norms.mean()),
        over_time=[
            EpochCosine(epoch, _matrix(matrix))
            for epoch, matrix in enumerate(observer.over_time, start=1)
            if not bool(matrix.isnan().all())
        ],
        affinity=_matrix(affinity.mean()) if with_affinity else None,
        affinity_error=_matrix(affinity.error()) if with_affinity else None,
        groups={str(at_most): _division(halves, main, at_most, by) for at_most in range(2, most + 1)} or None,
        auxiliary=_helpers(observer),
    )


def _division(halves: HalvedMeans, main: Sequence[str], at_most: int, by: str) -> Division:
    """Choose a grouping on one half of the steps, and evaluate it on the other to avoid selection bias."""
    size = len(main)
    chosen: Networks = divide(halves.choosing.mean()[:size, :size].numpy(), at_most)
    mean, error, count = (
        tensor[:size, :size].numpy()
        for tensor in (halves.checking.mean(), halves.checking.error(), halves.checking.count)
    )
    counts = shares(size, chosen) - shares(size, [list(range(size))])
    pairs = ~np.eye(size, dtype=bool)
    never = pairs & (halves.whole().count[:size, :size].numpy() == 0)
    matters = (counts != 0) & ~never
    spread = float(np.sqrt((counts[matters] ** 2 * error[matters] ** 2).sum()))
    return Division(
        [[main[place] for place in network] for network in chosen],
        by,
        float((counts[matters] * np.nan_to_num(mean[matters], nan=0.0)).sum()),
        _number(spread) if matters.any() else None,
        int(count[pairs & ~never].min()) if not never[pairs].all() else 0,
        int(never.sum()) // 2,
    )


def _helpers(observer: InteractionObserver) -> dict[str, Helper]:
    cosine, affinity = observer.helper_cosine, observer.helper_affinity
    columns = [
        cosine.count.tolist(),
        _row(cosine.mean()),
        _row(cosine.error()),
        _row(observer.helper_conflicts.mean()),
        _row(affinity.mean()),
        _row(affinity.error()),
        affinity.count.tolist(),
    ]
    names = observer.names[observer.main :]
    return {name: Helper(*cells) for name, *cells in zip(names, *columns, strict=True)}


def _matrix(values: torch.Tensor) -> Matrix:
    return [_row(row) for row in values]


def _row(values: torch.Tensor) -> Row:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    """Round to six significant digits; None for NaN, which JSON does not support."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
