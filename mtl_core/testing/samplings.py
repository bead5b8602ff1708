"""Checks of sampling strategies."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.plugins.specs import SamplingSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks

BATCH_COUNTS: Sequence[Sequence[int]] = ([7], [40, 10], [100, 1, 30], [3, 3, 3, 3])
"""Numbers of batches per data set that a strategy is checked with."""
STEPS, TOTAL = range(200, 700), 1000


def sampling_checks(spec: SamplingSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.sampling_checks`."""
    checks = spec_checks(spec)
    checks.add("shares", "It returns a share of 0 or more per data set, at any progress.", lambda: _check_shares(spec))
    checks.add("draws", "`draws` returns one data set per step.", lambda: _check_draws(spec))
    checks.add("seed", "The same seed gives the same draws; no global generator is used.", lambda: _check_seed(spec))
    checks.add("draws-follow-shares", "The draws follow the shares.", lambda: _check_draws_follow_shares(spec))
    return checks.skip_checks(skip)


def _compute_shares(spec: SamplingSpec, batch_counts: Sequence[int], progress: float) -> NDArray[np.float64]:
    shares = np.asarray(spec.compute_shares(batch_counts, progress), dtype=np.float64)
    expect(shares.shape == (len(batch_counts),), f"expected {len(batch_counts)} shares, found the shape {shares.shape}")
    is_valid = bool(np.isfinite(shares).all() and (shares >= 0).all() and shares.any())
    expect(
        is_valid,
        f"expected shares of 0 or more, not all 0, found {shares.tolist()} for batches {list(batch_counts)}",
    )
    normalized: NDArray[np.float64] = shares / shares.sum()
    return normalized


def _draw(spec: SamplingSpec, batch_counts: Sequence[int], seed: int = 3) -> NDArray[np.int64]:
    draws = spec.choose_data_sets(batch_counts, STEPS, TOTAL, seed)
    expect(draws.shape == (len(STEPS),), f"expected {len(STEPS)} draws, one per step, found shape {draws.shape}")
    expect(np.issubdtype(draws.dtype, np.integer), f"expected integers, found {draws.dtype}")
    is_valid = bool(((draws >= 0) & (draws < len(batch_counts))).all())
    expect(is_valid, f"expected indices from 0 to {len(batch_counts) - 1}, found {sorted(set(draws.tolist()))}")
    return draws


def _check_shares(spec: SamplingSpec) -> None:
    for batch_counts in BATCH_COUNTS:
        for progress in (0.0, 0.5, 1.0):
            _compute_shares(spec, batch_counts, progress)


def _check_draws(spec: SamplingSpec) -> None:
    for batch_counts in BATCH_COUNTS:
        _draw(spec, batch_counts)
    no_draws = spec.choose_data_sets(BATCH_COUNTS[1], range(5, 5), TOTAL, 3)
    expect(len(no_draws) == 0, f"expected no draws for an empty range of steps, found {len(no_draws)}")


def _check_seed(spec: SamplingSpec) -> None:
    for batch_counts in BATCH_COUNTS:
        with preserves_rng_state():
            first = _draw(spec, batch_counts)
        expect(
            np.array_equal(first, _draw(spec, batch_counts)),
            "expected the same draws from the same seed, found others",
        )


def _check_draws_follow_shares(spec: SamplingSpec) -> None:
    """Compare counts with shares: up to four standard deviations of independent draws are allowed."""
    for batch_counts in BATCH_COUNTS:
        expected_counts = sum(_compute_shares(spec, batch_counts, step / (TOTAL - 1)) for step in STEPS)
        counts = np.bincount(_draw(spec, batch_counts), minlength=len(batch_counts))
        tolerance = 4 * np.sqrt(np.maximum(expected_counts * (1 - expected_counts / len(STEPS)), 0)) + 2
        deviates = np.abs(counts - expected_counts) > tolerance
        expect(
            not deviates.any(),
            f"expected about {np.round(expected_counts).tolist()} draws of data sets with {list(batch_counts)} "
            f"batches, found {counts.tolist()}",
        )
