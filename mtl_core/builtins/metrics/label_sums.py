"""Contributions of single labels to the sums that metrics are computed from, and metrics of such sums."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.label_space import LabelSpace
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec

Sums = NDArray[np.float64]

MAX_TASK_PAIRS = 10_000_000
"""Largest number of pairs of a true and a predicted class, of all tasks, that are counted at once."""

MAX_MATRIX_CLASSES = 8
"""Largest number of classes whose counts are computed from all pairs of classes, in one pass over the labels."""

EQUAL_TARGETS = 1e-10
"""Largest variance, relative to the mean square, that is due to the rounding of equal targets."""


def sum_label_sums(metric: MetricSpec, spaces: Sequence[LabelSpace], labels: GroupLabels) -> Sums:
    """Sum the sums per label of a metric over the labels of each task, `(tasks, sums)`.

    For metrics whose sums per label depend on no more of a label space than its number of classes.
    """
    label_sums = metric.compute_label_sums(spaces[0], labels.outputs, labels.targets)
    assert label_sums is not None  # noqa: S101  for metrics that define them
    return labels.sum_by_task(label_sums)


def compute_task_confusion_matrices(labels: GroupLabels, n_classes: int) -> Sums | None:
    """Count pairs of a true and a predicted class per task, as `compute_confusion_matrix`.

    Args:
        labels: Outputs `(labels, classes)` and codes `(labels,)`.
        n_classes: Number of classes.

    Returns:
        `(tasks, classes * classes)`, float64; None if they are too large for one table.
    """
    n_tasks, n_pairs = len(labels.counts), n_classes**2
    if n_tasks * n_pairs > MAX_TASK_PAIRS:
        return None
    pairs = labels.targets.long() * n_classes + labels.predicted_codes
    counts = torch.bincount(labels.task_indices * n_pairs + pairs, minlength=n_tasks * n_pairs)
    matrices: Sums = counts.view(n_tasks, n_pairs).double().numpy()
    return matrices


def compute_task_class_counts(labels: GroupLabels, n_classes: int) -> Sums:
    """Return true positives, false positives and false negatives per task and class, `(tasks, 3 * classes)`.

    Args:
        labels: Outputs `(labels, classes)` and codes `(labels,)`.
        n_classes: Number of classes.
    """
    if n_classes <= MAX_MATRIX_CLASSES:
        matrices = compute_task_confusion_matrices(labels, n_classes)
        if matrices is not None:
            counts = reshape_confusion_matrix(matrices)
            true_positives = counts.diagonal(axis1=1, axis2=2)
            return _append_errors(true_positives, counts.sum(axis=1), counts.sum(axis=2))
    first_cells, targets = labels.task_indices * n_classes, labels.targets.long()

    def count(cells: torch.Tensor) -> Sums:
        n_cells = len(labels.counts) * n_classes
        counts: Sums = torch.bincount(cells, minlength=n_cells).view(-1, n_classes).double().numpy()
        return counts

    true_positives = count((first_cells + targets)[labels.predicted_codes == targets])
    return _append_errors(true_positives, count(first_cells + labels.predicted_codes), count(first_cells + targets))


def _append_errors(true_positives: Sums, predicted: Sums, targets: Sums) -> Sums:
    return np.concatenate([true_positives, predicted - true_positives, targets - true_positives], axis=1)


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
    columns = _compute_variance_columns(outputs, targets, centre)
    sums: Sums = torch.cat([column.sum(dim=0) for column in columns]).numpy()
    return sums


def compute_task_variance_sums(labels: GroupLabels, means: Sequence[Sums]) -> Sums:
    """Sum what R² is computed from per task, `(tasks, 4 * outputs)`, as `compute_variance_sums`.

    Args:
        labels: Outputs and targets, `(labels,)` or `(labels, outputs)`.
        means: The approximate mean of each task's targets, `(outputs,)`.
    """
    centres = torch.from_numpy(np.stack(means))[labels.task_indices]
    columns = _compute_variance_columns(labels.outputs, labels.targets, centres)
    return labels.sum_by_task(torch.cat(columns, dim=1))


def _compute_variance_columns(outputs: torch.Tensor, targets: torch.Tensor, centre: torch.Tensor) -> list[torch.Tensor]:
    """Return counts, targets, squared targets and squared errors, `(n, outputs)` each; 0 for a missing number."""
    centred_targets = targets.reshape(len(targets), -1).double() - centre
    errors = outputs.reshape(len(outputs), -1).double() - centre - centred_targets
    present = ~centred_targets.isnan()
    columns = [present.double(), centred_targets, centred_targets.square(), errors.square()]
    return [column.masked_fill(~present, 0) for column in columns]


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
