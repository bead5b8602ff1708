"""Contributions of single labels to the sums that metrics are computed from, and metrics of such sums."""

import numpy as np
import torch
from numpy.typing import NDArray

Sums = NDArray[np.float64]


def append_count(scores: torch.Tensor) -> torch.Tensor:
    """Stack each label's score `(n,)` with a one that counts it: `(n, 2)`, float64."""
    return torch.stack([scores.double(), torch.ones(len(scores), dtype=torch.float64)], dim=1)


def compute_error_sums(outputs: torch.Tensor, targets: torch.Tensor, squared: bool) -> torch.Tensor:
    """Sum absolute or squared differences per label, and count its numbers that are not NaN: `(n, 2)`, float64."""
    flat_targets = targets.reshape(len(targets), -1).double()
    errors = outputs.reshape(len(outputs), -1).double() - flat_targets
    present = ~flat_targets.isnan()
    magnitudes = (errors.square() if squared else errors.abs()).masked_fill(~present, 0)
    return torch.stack([magnitudes.sum(dim=1), present.sum(dim=1).double()], dim=1)


def compute_confusion_counts(predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return true positives, false positives and false negatives per class.

    Args:
        predicted: `(n, classes)`: positive for a predicted class.
        targets: `(n, classes)`: positive for a true class.

    Returns:
        `(n, 3 * classes)`, float64.
    """
    is_predicted, is_target = predicted > 0, targets > 0
    return torch.cat([is_predicted & is_target, is_predicted & ~is_target, ~is_predicted & is_target], dim=1).double()


def compute_f1(sums: Sums) -> Sums:
    """Compute F1 per class, `(..., classes)`, from sums `(..., 3 * classes)`; NaN for classes that do not occur."""
    true_positives, false_positives, false_negatives = np.split(sums, 3, axis=-1)
    scores: Sums = 2 * true_positives / (2 * true_positives + false_positives + false_negatives)
    return scores


def compute_nanmean(scores: Sums) -> Sums:
    """Compute the mean over the last dimension, `(...)`, without NaN; NaN if all values are NaN."""
    known = ~np.isnan(scores)
    mean: Sums = np.where(known, scores, 0).sum(axis=-1) / known.sum(axis=-1)
    return mean
