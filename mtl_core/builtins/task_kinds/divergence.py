"""How far two answers to one question lie apart."""

import torch
from torch.nn import functional as F  # noqa: N812


def between_classes(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The mean of both Kullback-Leibler divergences of the softmax of scores `(n, classes)`: `(n,)`."""
    one, other = torch.log_softmax(first, dim=-1), torch.log_softmax(second, dim=-1)
    # KL(p|q) + KL(q|p) is the sum over classes of (p - q)(log p - log q).
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=-1) / 2


def between_odds(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The same of the sigmoid of log-odds `(n,)`: `(n,)`."""
    chances = torch.sigmoid(first) - torch.sigmoid(second)
    # log p - log q, and log (1 - p) - log (1 - q), by log-sigmoids, which stay finite.
    return chances * (F.logsigmoid(first) - F.logsigmoid(second) - F.logsigmoid(-first) + F.logsigmoid(-second)) / 2
