"""Temperatures and thresholds, chosen on validation data."""

import torch
from torch.nn import functional as F  # noqa: N812

LOWEST, HIGHEST = 0.05, 20.0
STEPS = 60
WINDOW = 5
"""Neighbouring thresholds whose F1 is averaged, so that no lucky one is chosen."""


def best_temperature(scores: torch.Tensor, targets: torch.Tensor) -> float:
    """Find what scores are divided by so that their softmax is likeliest (temperature scaling; Guo et al., 2017).

    The likelihood has one maximum over the temperature, which is found by narrowing an interval of its logarithm.

    Args:
        scores: `(n, classes)`.
        targets: `(n,)`, int64: codes.

    Returns:
        The temperature; 1 if there is nothing to learn it from.
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
    """Find the probability from which on "something" has the best F1 over all labels together.

    With calibrated probabilities the best one lies at half of the F1 that it reaches (Lipton et al., 2014), so only
    those from 0.2 to 0.7 are tried.

    Args:
        probabilities: `(n,)`.
        there: `(n,)`, bool.
        otherwise: What is given if nothing is there.
    """
    if not there.any():
        return otherwise
    tried = torch.arange(20, 71, dtype=torch.float64) / 100
    said = probabilities.double().unsqueeze(1) >= tried
    hits = (said & there.unsqueeze(1)).sum(dim=0).double()
    f1 = 2 * hits / (said.sum(dim=0) + there.sum())
    smooth = F.avg_pool1d(f1.view(1, 1, -1), WINDOW, 1, WINDOW // 2, count_include_pad=False).view(-1)
    return float(tried[smooth.argmax()])
