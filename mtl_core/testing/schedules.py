"""Checks of schedules."""

import math
from collections.abc import Mapping

from mtl_core.plugins.specs import ScheduleSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks


def schedule_checks(spec: ScheduleSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.schedule_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "factors",
        "It returns a finite factor of 0 or more for every step, in long and short runs.",
        lambda: _check_factors(spec),
    )
    checks.add("not-all-zero", "The factor is above 0 at some step.", lambda: _check_not_all_zero(spec))
    return checks.skip_checks(skip)


def _check_factors(spec: ScheduleSpec) -> None:
    for total in (1, 2, 7, 200):
        with preserves_rng_state():
            factors = [spec.compute_factor(step, total) for step in range(total)]
        second_factors = [spec.compute_factor(step, total) for step in reversed(range(total))][::-1]
        expect(
            factors == second_factors,
            f"expected each step's factor to depend only on the step, in a run of {total} steps",
        )
        invalid = [factor for factor in factors if not (math.isfinite(factor) and factor >= 0)]
        expect(not invalid, f"expected finite factors of 0 or more in a run of {total} steps, found {invalid}")


def _check_not_all_zero(spec: ScheduleSpec) -> None:
    for total in (2, 200):
        expect(
            any(spec.compute_factor(step, total) > 0 for step in range(total)),
            f"expected a factor above 0 in {total} steps",
        )
