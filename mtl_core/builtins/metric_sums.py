"""What single labels add to the sums that figures are made of, and figures of such sums."""

import numpy as np
import torch
from numpy.typing import NDArray

Sums = NDArray[np.float64]


def counted(scores: torch.Tensor) -> torch.Tensor:
    """Each label's score `(n,)`, and a one to count it: `(n, 2)`, float64."""
    return torch.stack([scores.double(), torch.ones(len(scores), dtype=torch.float64)], dim=1)


def differences(outputs: torch.Tensor, targets: torch.Tensor, squared: bool) -> torch.Tensor:
    """Absolute or squared differences of a label's numbers, and how many are there: `(n, 2)`, float64."""
    wanted = targets.reshape(len(targets), -1).double()
    missed = outputs.reshape(len(outputs), -1).double() - wanted
    present = ~wanted.isnan()
    sizes = (missed.square() if squared else missed.abs()).masked_fill(~present, 0)
    return torch.stack([sizes.sum(dim=1), present.sum(dim=1).double()], dim=1)


def confused(predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Hits, false alarms and misses of each class, `(n, 3 * classes)`, float64, of indicators `(n, classes)`."""
    said, true = predicted > 0, wanted > 0
    return torch.cat([said & true, said & ~true, ~said & true], dim=1).double()


def f1_scores(sums: Sums) -> Sums:
    """F1 of each class, `(..., classes)`, of sums `(..., 3 * classes)`; NaN for a class that does not occur."""
    hits, alarms, misses = np.split(sums, 3, axis=-1)
    scores: Sums = 2 * hits / (2 * hits + alarms + misses)
    return scores


def mean_of_known(scores: Sums) -> Sums:
    """The mean over the last dimension, `(...)`, of what is not NaN; NaN if nothing is left."""
    known = ~np.isnan(scores)
    mean: Sums = np.where(known, scores, 0).sum(axis=-1) / known.sum(axis=-1)
    return mean
