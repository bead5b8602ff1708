"""Calibration temperatures and decision thresholds, fitted to validation data."""

import torch
from torch.nn import functional as F  # noqa: N812

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
SEARCH_STEPS = 60
SMOOTHING_WINDOW = 5
"""Number of neighbouring thresholds whose F1 is averaged, to smooth out noise."""


def fit_temperature(scores: torch.Tensor, targets: torch.Tensor) -> float:
    """Fit the temperature that minimises the cross entropy (temperature scaling; Guo et al., 2017).

    The likelihood has one maximum over the temperature, which ternary search over its logarithm finds.

    Args:
        scores: `(n, classes)`: logits.
        targets: `(n,)`, int64: class codes.

    Returns:
        The temperature; 1 if there are no targets.
    """
    if not len(targets):
        return 1.0
    scores, targets = scores.double(), targets.long()

    def loss(log_temperature: torch.Tensor) -> float:
        return float(F.cross_entropy(scores / log_temperature.exp(), targets))

    low, high = (torch.tensor(value, dtype=torch.float64).log() for value in (MIN_TEMPERATURE, MAX_TEMPERATURE))
    for _ in range(SEARCH_STEPS):
        third = (high - low) / 3
        if loss(low + third) <= loss(high - third):
            high = high - third
        else:
            low = low + third
    return round(float(((low + high) / 2).exp()), 6)


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
