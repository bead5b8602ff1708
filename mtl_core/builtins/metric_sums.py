"""Contributions of single labels to the sums that metrics are computed from, and metrics of such sums."""

import numpy as np
import torch
from numpy.typing import NDArray

Sums = NDArray[np.float64]


def counted(scores: torch.Tensor) -> torch.Tensor:
    """Stack each label's score `(n,)` with a one that counts it: `(n, 2)`, float64."""
    return torch.stack([scores.double(), torch.ones(len(scores), dtype=torch.float64)], dim=1)


def differences(outputs: torch.Tensor, targets: torch.Tensor, squared: bool) -> torch.Tensor:
    """Sum absolute or squared differences per label, and count its numbers that are not NaN: `(n, 2)`, float64."""
    wanted = targets.reshape(len(targets), -1).double()
    missed = outputs.reshape(len(outputs), -1).double() - wanted
    present = ~wanted.isnan()
    sizes = (missed.square() if squared else missed.abs()).masked_fill(~present, 0)
    return torch.stack([sizes.sum(dim=1), present.sum(dim=1).double()], dim=1)


def confused(predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return true positives, false positives and false negatives per class.

    Args:
        predicted: `(n, classes)`: positive for a predicted class.
        wanted: `(n, classes)`: positive for a true class.

    Returns:
        `(n, 3 * classes)`, float64.
    """
    said, true = predicted > 0, wanted > 0
    return torch.cat([said & true, said & ~true, ~said & true], dim=1).double()


def f1_scores(sums: Sums) -> Sums:
    """Compute F1 per class, `(..., classes)`, from sums `(..., 3 * classes)`; NaN for classes that do not occur."""
    hits, alarms, misses = np.split(sums, 3, axis=-1)
    scores: Sums = 2 * hits / (2 * hits + alarms + misses)
    return scores


def mean_of_known(scores: Sums) -> Sums:
    """Compute the mean over the last dimension, `(...)`, without NaN; NaN if all values are NaN."""
    known = ~np.isnan(scores)
    mean: Sums = np.where(known, scores, 0).sum(axis=-1) / known.sum(axis=-1)
    return mean
