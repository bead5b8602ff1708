"""A permutation test over examples: exchange the answers of two variants.

If two variants are equally good, their answers to an example can be exchanged. The p-value is the share of exchanges
whose difference is at least as large as the observed one. It is right for every metric, however few answers differ and
however few labels a class has: if one or two answers carry a difference, half of all exchanges are as large. It is
known as approximate randomization (Noreen, 1989), and is usual for F1 (Yeh, 2000).

An example is exchanged with all seeds at once, so the test says nothing on the variation over seeds.

References:
    E. Noreen: Computer-Intensive Methods for Testing Hypotheses. 1989.
    A. Yeh: More Accurate Tests for the Statistical Significance of Result Differences. COLING 2000.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.statistics.influence import Floats

MAX_EXACT = 12
"""Largest number of examples with different answers for which all exchanges are computed."""
N_DRAWS = 1000
"""Number of random exchanges for more examples."""
CHUNK_NUMBERS = 4_000_000
"""Upper limit of the size of one chunk of exchanges, exchanges times examples."""

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class SwapTest:
    """The result of exchanging answers.

    Attributes:
        p_value: The two-sided p-value. If no random exchange is as large, that of the sign test if all examples differ
            in the same direction, which no p-value can be below.
        variance: The variance of the difference over exchanges. If both variants are equally good, it is the variance
            of the difference over examples.
    """

    p_value: float
    variance: float


def run_swap_test(
    difference: float,
    compute_differences: Callable[[Masks], Floats],
    n_discordant: int,
    random: np.random.Generator,
    n_draws: int = N_DRAWS,
    max_exact: int = MAX_EXACT,
) -> SwapTest:
    """Test a difference.

    Args:
        difference: The observed difference.
        compute_differences: Computes the difference for exchanges `(exchanges, discordant)`: which examples with
            different answers are exchanged. NaN counts as a large difference.
        n_discordant: Number of examples with different answers.
        random: Draws the exchanges, if there are too many to compute all.
        n_draws: Number of random exchanges.
        max_exact: Largest number of examples for which all exchanges are computed.
    """
    if n_discordant == 0:
        return SwapTest(1.0, 0.0)
    is_exact = n_discordant <= max_exact
    all_masks = _list_masks(n_discordant) if is_exact else _draw_masks(n_discordant, n_draws, random)
    differences = np.abs(np.concatenate([compute_differences(masks) for masks in all_masks]))
    n_exceeding = int((~(differences < abs(difference) * (1 - 1e-9))).sum())
    known = differences[~np.isnan(differences)]
    variance = float(np.square(known).mean()) if len(known) else 0.0
    if is_exact:
        return SwapTest(n_exceeding / len(differences), variance)
    if n_exceeding:
        return SwapTest((1 + n_exceeding) / (1 + len(differences)), variance)
    return SwapTest(2.0 ** (1 - n_discordant), variance)


def _list_masks(n_discordant: int) -> Iterator[Masks]:
    numbers = np.arange(2**n_discordant)
    yield (numbers[:, None] >> np.arange(n_discordant)) % 2 == 1


def _draw_masks(n_discordant: int, n_draws: int, random: np.random.Generator) -> Iterator[Masks]:
    chunk_size = max(1, CHUNK_NUMBERS // n_discordant)
    for start in range(0, n_draws, chunk_size):
        yield random.random((min(chunk_size, n_draws - start), n_discordant)) < 0.5
