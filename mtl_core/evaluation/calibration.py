"""How far confidence and truth lie apart."""

import torch

BINS = 15


def expected_calibration_error(confidence: torch.Tensor, right: torch.Tensor) -> float | None:
    """The mean gap between confidence and share of right answers over bins of confidence (Guo et al., 2017).

    Args:
        confidence: `(n,)`: the probability of each answer.
        right: `(n,)`, bool: whether it is true.

    Returns:
        The gap, each bin counted by its answers; None without answers.
    """
    if not len(confidence):
        return None
    home = (confidence.double() * BINS).long().clamp(0, BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64)
    gaps.index_add_(0, home, right.double() - confidence.double())
    return float(gaps.abs().sum() / len(confidence))
