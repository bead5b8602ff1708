"""Expected calibration error."""

import torch

N_BINS = 15


def compute_expected_calibration_error(confidence: torch.Tensor, is_correct: torch.Tensor) -> float | None:
    """Compute the mean gap between confidence and accuracy over 15 bins of confidence (Guo et al., 2017).

    Args:
        confidence: `(n,)`, float: the probability of each prediction.
        is_correct: `(n,)`, bool: whether each prediction is correct.

    Returns:
        The gap, weighted by the number of predictions per bin; None without predictions.
    """
    if not len(confidence):
        return None
    bin_indices = (confidence.double() * N_BINS).long().clamp(0, N_BINS - 1)
    gaps = torch.zeros(N_BINS, dtype=torch.float64)
    gaps.index_add_(0, bin_indices, is_correct.double() - confidence.double())
    return float(gaps.abs().sum() / len(confidence))
