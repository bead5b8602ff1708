"""Calibration temperatures and decision thresholds, fitted to validation data."""

import torch
from torch.nn import functional as F  # noqa: N812

LOWEST, HIGHEST = 0.05, 20.0
STEPS = 60
WINDOW = 5
"""Number of neighbouring thresholds whose F1 is averaged, to smooth out noise."""


def best_temperature(scores: torch.Tensor, targets: torch.Tensor) -> float:
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

    low, high = (torch.tensor(value, dtype=torch.float64).log() for value in (LOWEST, HIGHEST))
    for _ in range(STEPS):
        third = (high - low) / 3
        if loss(low + third) <= loss(high - third):
            high = high - third
        else:
            low = low + third
    return round(float(((low + high) / 2).exp()), 6)


def best_threshold(probabilities: torch.Tensor, there: torch.Tensor, otherwise: float) -> float:
    """Fit the threshold of detection that maximises F1 over all labels.

    For calibrated probabilities, the optimal threshold is half of the optimal F1 (Lipton et al., 2014), so only
    thresholds from 0.2 to 0.7 are evaluated.

    Args:
        probabilities: `(n,)`: the probabilities of presence.
        there: `(n,)`, bool: whether something is present.
        otherwise: The threshold to return if nothing is present.
    """
    if not there.any():
        return otherwise
    tried = torch.arange(20, 71, dtype=torch.float64) / 100
    said = probabilities.double().unsqueeze(1) >= tried
    hits = (said & there.unsqueeze(1)).sum(dim=0).double()
    f1 = 2 * hits / (said.sum(dim=0) + there.sum())
    smooth = F.avg_pool1d(f1.view(1, 1, -1), WINDOW, 1, WINDOW // 2, count_include_pad=False).view(-1)
    return float(tried[smooth.argmax()])
