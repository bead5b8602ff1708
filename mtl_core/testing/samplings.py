"""Checks of sampling strategies."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.specs import SamplingSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks

BATCHES: Sequence[Sequence[int]] = ([7], [40, 10], [100, 1, 30], [3, 3, 3, 3])
"""Numbers of batches per data set that a strategy is checked with."""
STEPS, TOTAL = range(200, 700), 1000


def sampling_checks(spec: SamplingSpec, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.sampling_checks`."""
    checks = spec_checks(spec)
    checks.add("shares", "It returns a share of 0 or more per data set, at any progress.", lambda: _shares(spec))
    checks.add("draws", "`draws` returns one data set per step.", lambda: _draws(spec))
    checks.add("seed", "The same seed gives the same draws; no global generator is used.", lambda: _seed(spec))
    checks.add("draws-follow-shares", "The draws follow the shares.", lambda: _follow(spec))
    return checks.without(without)


def _stated(spec: SamplingSpec, batches: Sequence[int], progress: float) -> NDArray[np.float64]:
    shares = np.asarray(spec.shares(batches, progress), dtype=np.float64)
    expect(shares.shape == (len(batches),), f"expected {len(batches)} shares, found the shape {shares.shape}")
    good = bool(np.isfinite(shares).all() and (shares >= 0).all() and shares.any())
    expect(good, f"expected shares of 0 or more, not all 0, found {shares.tolist()} for batches {list(batches)}")
    found: NDArray[np.float64] = shares / shares.sum()
    return found


def _drawn(spec: SamplingSpec, batches: Sequence[int], seed: int = 3) -> NDArray[np.int64]:
    draws = spec.draws(batches, STEPS, TOTAL, seed)
    expect(draws.shape == (len(STEPS),), f"expected {len(STEPS)} draws, one per step, found shape {draws.shape}")
    expect(np.issubdtype(draws.dtype, np.integer), f"expected integers, found {draws.dtype}")
    inside = bool(((draws >= 0) & (draws < len(batches))).all())
    expect(inside, f"expected indices from 0 to {len(batches) - 1}, found {sorted(set(draws.tolist()))}")
    return draws


def _shares(spec: SamplingSpec) -> None:
    for batches in BATCHES:
        for progress in (0.0, 0.5, 1.0):
            _stated(spec, batches, progress)


def _draws(spec: SamplingSpec) -> None:
    for batches in BATCHES:
        _drawn(spec, batches)
    none = spec.draws(BATCHES[1], range(5, 5), TOTAL, 3)
    expect(len(none) == 0, f"expected no draws for an empty range of steps, found {len(none)}")


def _seed(spec: SamplingSpec) -> None:
    for batches in BATCHES:
        with left_alone():
            first = _drawn(spec, batches)
        expect(
            np.array_equal(first, _drawn(spec, batches)), "expected the same draws from the same seed, found others"
        )


def _follow(spec: SamplingSpec) -> None:
    """Compare counts with shares: up to four standard deviations of independent draws are allowed."""
    for batches in BATCHES:
        wanted = sum(_stated(spec, batches, step / (TOTAL - 1)) for step in STEPS)
        counts = np.bincount(_drawn(spec, batches), minlength=len(batches))
        slack = 4 * np.sqrt(np.maximum(wanted * (1 - wanted / len(STEPS)), 0)) + 2
        strays = np.abs(counts - wanted) > slack
        expect(
            not strays.any(),
            f"expected about {np.round(wanted).tolist()} draws of data sets with {list(batches)} batches, "
            f"found {counts.tolist()}",
        )
