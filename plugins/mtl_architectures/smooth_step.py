"""The smooth step function and the binary codes of DSelect-k (Hazimeh et al., NeurIPS 2021)."""

import torch


def smooth_step(values: torch.Tensor, gamma: float) -> torch.Tensor:
    """Compute a cubic polynomial from 0 to 1, which is exactly 0 below `-gamma / 2` and exactly 1 above `gamma / 2`.

    Args:
        values: Any shape, float.
        gamma: Width of the step, above 0.

    Returns:
        Numbers from 0 to 1 of the same shape.

    Example:
        >>> smooth_step(torch.tensor([-0.5, 0.0, 0.5]), gamma=1.0).tolist()
        [0.0, 0.5, 1.0]
    """
    step = -2 / gamma**3 * values**3 + 3 / (2 * gamma) * values + 0.5
    return torch.where(values <= -gamma / 2, 0.0, torch.where(values >= gamma / 2, 1.0, step))


def compute_selection(digits: torch.Tensor, experts: int) -> torch.Tensor:
    """Compute the probability of each expert from the digits of its number.

    Args:
        digits: `(..., digits)`: probability that each binary digit is 1; the first digit counts 1, the second 2.
        experts: Number of experts, at most 2 to the number of digits.

    Returns:
        `(..., experts)`; sums to 1. The code of an expert is its number; codes beyond the last expert belong to the
        first experts.

    Example:
        >>> compute_selection(torch.tensor([1.0, 0.0]), experts=3).tolist()
        [0.0, 1.0, 0.0]
    """
    n_digits = digits.shape[-1]
    codes = torch.arange(2**n_digits, device=digits.device)
    bits = (codes.unsqueeze(1) >> torch.arange(n_digits, device=digits.device)) & 1
    selection = torch.where(bits.bool(), digits.unsqueeze(-2), 1 - digits.unsqueeze(-2)).prod(dim=-1)
    if len(codes) == experts:
        return selection
    first, rest = selection[..., :experts], selection[..., experts:]
    return torch.cat([first[..., : rest.shape[-1]] + rest, first[..., rest.shape[-1] :]], dim=-1)
