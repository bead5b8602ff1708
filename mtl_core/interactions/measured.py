"""What a run has seen of tasks' influence on each other, as it stands in `interactions.json`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.interactions.dividing import Networks, divide, shares
from mtl_core.training.interactions import InteractionObserver
from mtl_core.training.running_means import HalvedMeans

Row = list[float | None]
"""A number a task; None where nothing was seen."""
Matrix = list[Row]
"""A row and a column a task."""


@dataclass(frozen=True)
class EpochCosine:
    """How alike gradients were in one epoch, counted from 1."""

    epoch: int
    cosine: Matrix


@dataclass(frozen=True)
class Helper:
    """What an auxiliary task's gradient has to do with the main tasks.

    Attributes:
        steps: Steps in which it was seen with a main task.
        cosine: Its mean cosine with the sum of the main tasks' gradients.
        cosine_error: Its standard error.
        conflicts: The share of the steps in which that was negative.
        affinity: Its mean affinity onto the main tasks in the batch; None if it was not measured.
        affinity_error: Its standard error.
        affinity_steps: The steps that it comes from.
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
    """Main tasks, divided into networks; chosen by every second step that was looked at, checked on the others.

    Attributes:
        networks: The tasks of each.
        by: What it was chosen by: `affinity`, or `cosine` where affinity was not measured.
        gain: How much larger the sum over tasks of the mean influence from the other tasks in their network is than
            with all in one network, on the steps that it was not chosen by.
        error: Its standard error, as if pairs and steps were independent; None if it is not known.
        steps: Of the steps that nothing was chosen by, how many hold the pair of tasks that is in the fewest; pairs
            that were never seen together are left out.
        unknown: Pairs that were never seen together; they count as having no influence.
    """

    networks: list[list[str]]
    by: str
    gain: float
    error: float | None
    steps: int
    unknown: int


@dataclass(frozen=True)
class Measured:
    """All of it.

    Attributes:
        tasks: Names: main tasks, then auxiliary ones.
        observed: Steps that were looked at.
        cosine: Mean cosine of each two tasks' gradients.
        cosine_error: Standard errors of these.
        conflicts: Shares of the steps in which it was negative.
        steps: How many steps each two tasks were seen in together.
        norms: Each task's mean gradient norm.
        over_time: The mean cosines of each epoch in which a step was looked at.
        affinity: Mean affinity of the row's task onto the column's; None if it was not measured.
        affinity_error: Standard errors of these.
        groups: Number of networks, at most, to the division of the main tasks; None if there is but one main task.
        auxiliary: Auxiliary task to what its gradient has to do with the main tasks.
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
    """Read off what an observer has kept."""
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
    """Choose by one half, look at the other: of many divisions, the best one is always too good where chosen."""
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
    """Six digits, and none for NaN: JSON has no such number."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
