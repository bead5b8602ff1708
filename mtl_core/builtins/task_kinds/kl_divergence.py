"""Symmetric Kullback-Leibler divergences between two predictions."""

import torch
from torch.nn import functional as F  # noqa: N812


def compute_class_divergence(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the symmetric divergence `(n,)` between the softmax of logits `(n, classes)`."""
    log_p, log_q = torch.log_softmax(first, dim=-1), torch.log_softmax(second, dim=-1)
    # KL(p|q) + KL(q|p) is the sum over classes of (p - q)(log p - log q).
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=-1) / 2


def compute_binary_divergence(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the symmetric divergence `(n,)` between the sigmoid of log-odds `(n,)`."""
    difference = torch.sigmoid(first) - torch.sigmoid(second)
    # log p - log q, and log (1 - p) - log (1 - q), by log-sigmoids, which stay finite.
    return difference * (F.logsigmoid(first) - F.logsigmoid(second) - F.logsigmoid(-first) + F.logsigmoid(-second)) / 2
