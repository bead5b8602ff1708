"""Checks of class weights."""

import math
from collections.abc import Mapping

from mtl_core.plugins.specs import ClassWeightsSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks


def class_weights_checks(spec: ClassWeightsSpec, counts: Mapping[str, int], skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.class_weights_checks`."""
    checks = spec_checks(spec)
    checks.add("weights", "It returns one finite weight >= 0 per class.", lambda: _check_class_weights(spec, counts))
    checks.add(
        "class-order", "Weights do not depend on the order of classes.", lambda: _check_class_order(spec, counts)
    )
    return checks.skip_checks(skip)


def _check_class_weights(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    first = next(iter(counts))
    for sample_counts in (counts, {**counts, first: 0}, dict.fromkeys(counts, 0)):
        with preserves_rng_state():
            weights = list(spec.compute_weights(sample_counts))
        expect(
            len(weights) == len(sample_counts),
            f"expected {len(sample_counts)} weights, one per class, found {len(weights)}",
        )
        is_valid = all(math.isfinite(weight) and weight >= 0 for weight in weights)
        expect(is_valid, f"expected finite weights of 0 or more for the counts {dict(sample_counts)}, found {weights}")


def _check_class_order(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    reversed_counts = {name: counts[name] for name in reversed(list(counts))}
    weights = dict(zip(counts, spec.compute_weights(counts), strict=True))
    reversed_weights = dict(zip(reversed_counts, spec.compute_weights(reversed_counts), strict=True))
    is_same = all(math.isclose(weights[name], reversed_weights[name]) for name in weights)
    expect(is_same, f"expected the same weights for reversed classes, found {weights} and {reversed_weights}")
