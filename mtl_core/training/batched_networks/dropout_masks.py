"""The dropout masks of networks that are trained at once: those that each network would draw in a separate training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn


class MaskedDropout(nn.Module):
    """Dropout with a mask from outside.

    Args:
        p: The dropout probability.
    """

    mask: torch.Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply values with the mask in training; return them unchanged in evaluation."""
        return values * self.mask if self.training else values


@dataclass(frozen=True)
class DropoutSite:
    """One application of dropout in the forward pass of a network.

    Attributes:
        name: The name of the module.
        p: The dropout probability, above 0.
        width: Number of values per example.
    """

    name: str
    p: float
    width: int


class DropoutMasks:
    """Draws dropout masks per network.

    In a separate training, dropout draws from torch's global generator, which is seeded at the start of each epoch.
    Here every network has a generator with this seed. Networks that have drawn masks of the same sizes so far draw the
    same masks next, so they share a generator.

    Args:
        sites: All applications of dropout, in the order of the forward pass.
    """

    def __init__(self, sites: Sequence[DropoutSite]) -> None:
        self._sites = sites
        self._generators: dict[int, torch.Generator] = {}
        self._first = torch.Generator()

    def start_epoch(self, seed: int) -> None:
        """Seed the generators of all networks."""
        self._first = torch.Generator().manual_seed(seed)
        self._generators = {}

    def draw(self, n_rows: Mapping[int, int]) -> list[tuple[list[int], list[torch.Tensor]]]:
        """Draw the masks of a step.

        Args:
            n_rows: Network to number of examples in its batch. Other networks draw nothing.

        Returns:
            Networks with the same masks, and these masks: `(rows, width)`, float32, per site.
        """
        if not self._sites:
            return []
        groups: dict[tuple[torch.Generator, int], list[int]] = {}
        for network, count in n_rows.items():
            generator = self._generators.get(network, self._first)
            groups.setdefault((generator, count), []).append(network)
        mask_groups = []
        for (generator, count), networks in groups.items():
            copy = torch.Generator()
            copy.set_state(generator.get_state())
            mask_groups.append((networks, [_draw_mask(site, count, copy) for site in self._sites]))
            self._generators.update(dict.fromkeys(networks, copy))
        return mask_groups


def _draw_mask(site: DropoutSite, n_rows: int, generator: torch.Generator) -> torch.Tensor:
    """Draw a mask as `torch.nn.functional.dropout` does on the CPU."""
    mask = torch.empty(n_rows, site.width)
    if site.p == 1:
        return mask.zero_()
    return mask.bernoulli_(1 - site.p, generator=generator).div_(1 - site.p)
