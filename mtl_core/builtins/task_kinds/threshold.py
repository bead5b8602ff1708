"""The decision threshold of detection, fitted to validation data."""

import torch
from torch.nn import functional as F  # noqa: N812

SMOOTHING_WINDOW = 5
"""Number of neighbouring thresholds whose F1 is averaged, to smooth out noise."""


def fit_threshold(probabilities: torch.Tensor, is_present: torch.Tensor, default: float) -> float:
    """Fit the threshold of detection that maximises F1 over all labels.

    For calibrated probabilities, the optimal threshold is half of the optimal F1 (Lipton et al., 2014), so only
    thresholds from 0.2 to 0.7 are evaluated.

    Args:
        probabilities: `(n,)`: the probabilities of presence.
        is_present: `(n,)`, bool: whether something is present.
        default: The threshold to return if nothing is present.
    """
    if not is_present.any():
        return default
    thresholds = torch.arange(20, 71, dtype=torch.float64) / 100
    is_detected = probabilities.double().unsqueeze(1) >= thresholds
    true_positives = (is_detected & is_present.unsqueeze(1)).sum(dim=0).double()
    f1 = 2 * true_positives / (is_detected.sum(dim=0) + is_present.sum())
    smoothed_f1 = F.avg_pool1d(
        f1.view(1, 1, -1), SMOOTHING_WINDOW, 1, SMOOTHING_WINDOW // 2, count_include_pad=False
    ).view(-1)
    return float(thresholds[smoothed_f1.argmax()])
