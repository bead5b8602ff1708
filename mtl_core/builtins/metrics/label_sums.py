"""Contributions of single labels to the sums that metrics are computed from, and metrics of such sums."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Sums = NDArray[np.float64]

EQUAL_TARGETS = 1e-10
"""Largest variance, relative to the mean square, that is due to the rounding of equal targets."""


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


def compute_detection_counts(outputs: torch.Tensor, targets: torch.Tensor, absent_code: int) -> torch.Tensor:
    """Return TP, FP and FN of detection `(n, 3)`, float64, from outputs `(n, classes)` and codes `(n,)`."""
    is_detected, is_present = outputs.argmax(dim=-1) != absent_code, targets != absent_code
    return compute_confusion_counts(is_detected.unsqueeze(1), is_present.unsqueeze(1))


def compute_joint_counts(outputs: torch.Tensor, targets: torch.Tensor, absent_code: int) -> torch.Tensor:
    """Return TP, FP and FN of detection and class together, `(n, 3)`: a wrong class is an FP and an FN."""
    predictions = outputs.argmax(dim=-1)
    is_correct, is_present = predictions == targets, targets != absent_code
    return torch.stack(
        [is_correct & is_present, (predictions != absent_code) & ~is_correct, is_present & ~is_correct], dim=1
    ).double()


def restricted_argmax(outputs: torch.Tensor, allowed: Sequence[int]) -> torch.Tensor:
    """Return the allowed class with the highest score, `(n,)`, from outputs `(n, classes)`."""
    codes = torch.tensor(allowed, device=outputs.device)
    return codes[outputs[:, codes].argmax(dim=1)]


def compute_confusion_matrix(predicted: torch.Tensor, targets: torch.Tensor, n_classes: int) -> Sums:
    """Count pairs of a true and a predicted class.

    Args:
        predicted: `(n,)`: codes of the predicted classes.
        targets: `(n,)`: codes of the true classes.
        n_classes: Number of classes.

    Returns:
        `(classes * classes,)`, float64: row by row, one row per true class.
    """
    counts = torch.bincount(targets.long() * n_classes + predicted, minlength=n_classes**2)
    matrix: Sums = counts.double().numpy()
    return matrix


def reshape_confusion_matrix(sums: Sums) -> Sums:
    """Reshape `(..., classes * classes)` to `(..., classes, classes)`."""
    n_classes = round(sums.shape[-1] ** 0.5)
    return sums.reshape(*sums.shape[:-1], n_classes, n_classes)


def compute_variance_sums(outputs: torch.Tensor, targets: torch.Tensor, mean: Sequence[float]) -> Sums:
    """Sum what R² is computed from, per output, without missing numbers.

    Args:
        outputs: `(n,)` or `(n, outputs)`.
        targets: Of the same shape; NaN marks a missing number.
        mean: `(outputs,)`: approximate mean of the targets, which is subtracted first, so that sums stay exact.

    Returns:
        `(4 * outputs,)`, float64: counts, targets, squared targets and squared errors.
    """
    centre = torch.tensor(mean, dtype=torch.float64)
    centred_targets = targets.reshape(len(targets), -1).double() - centre
    errors = outputs.reshape(len(outputs), -1).double() - centre - centred_targets
    present = ~centred_targets.isnan()
    columns = [present.double(), centred_targets, centred_targets.square(), errors.square()]
    sums: Sums = torch.cat([column.masked_fill(~present, 0).sum(dim=0) for column in columns]).numpy()
    return sums


def compute_angles(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the angle between each output and its target, `(n,)`, float64, in degrees; both are `(n, dimensions)`."""
    first, second = (torch.nn.functional.normalize(vectors.double(), dim=-1) for vectors in (outputs, targets))
    # Unlike the arc cosine, exact for small angles (Kahan, 2006).
    return torch.rad2deg(2 * torch.atan2((first - second).norm(dim=-1), (first + second).norm(dim=-1)))


def compute_r2(sums: Sums) -> Sums:
    """Compute R² per output, `(..., outputs)`, from the sums `(..., 4 * outputs)` of `compute_variance_sums`.

    NaN where all targets are equal: their variance is then 0 up to rounding.
    """
    counts, targets, squares, errors = np.split(sums, 4, axis=-1)
    variance = squares - targets**2 / counts
    scores: Sums = np.where(variance > EQUAL_TARGETS * squares, 1 - errors / variance, np.nan)
    return scores


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
