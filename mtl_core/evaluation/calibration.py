"""Expected calibration error."""

import torch

BINS = 15


def expected_calibration_error(confidence: torch.Tensor, right: torch.Tensor) -> float | None:
    """Compute the mean gap between confidence and accuracy over 15 bins of confidence (Guo et al., 2017).

    Args:
        confidence: `(n,)`, float: the probability of each prediction.
        right: `(n,)`, bool: whether each prediction is correct.

    Returns:
        The gap, weighted by the number of predictions per bin; None without predictions.
    """
    if not len(confidence):
        return None
    home = (confidence.double() * BINS).long().clamp(0, BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64)
    gaps.index_add_(0, home, right.double() - confidence.double())
    return float(gaps.abs().sum() / len(confidence))
