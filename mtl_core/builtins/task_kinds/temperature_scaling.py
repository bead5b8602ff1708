"""Temperature scaling."""

import torch
from torch.nn import functional as F  # noqa: N812

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0

SEARCH_STEPS = 60


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
