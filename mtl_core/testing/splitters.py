"""Checks of splitters."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.splitting import SplitUnits, split_corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks

UNIT_COUNTS = (60, 7, 1)
"""Numbers of units that a splitter is checked with."""


def splitter_checks(spec: SplitterSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.splitter_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "splits", "It assigns every unit to split 0, 1 or 2, for any number of units.", lambda: _check_splits(spec)
    )
    checks.add("no-labels", "It splits units without labels.", lambda: _check_no_labels(spec))
    checks.add("seed", "The same seed gives the same splits; no global generator is used.", lambda: _check_seed(spec))
    checks.add("units-unchanged", "It does not change the units.", lambda: _check_units_unchanged(spec))
    checks.add(
        "partition",
        "Every example of a corpus is in one split; groups are not divided.",
        lambda: _check_partition(spec),
    )
    return checks.skip_checks(skip)


def _create_units(count: int, columns: int = 4) -> SplitUnits:
    generator = np.random.default_rng(count)
    indicators = (generator.random((count, columns)) < 0.3).astype(np.uint8)
    names = [("task", f"class {column}") for column in range(columns)]
    return SplitUnits(indicators, names, generator.integers(1, 4, size=count))


def _split(spec: SplitterSpec, units: SplitUnits, seed: int = 3) -> NDArray[np.int8]:
    splits = spec.split(units, seed)
    expect(isinstance(splits, np.ndarray), f"expected an array, found a {type(splits).__name__}")
    expect(splits.shape == (len(units),), f"expected the shape ({len(units)},), found {splits.shape}")
    expect(np.issubdtype(splits.dtype, np.integer), f"expected integers, found {splits.dtype}")
    invalid = sorted(set(splits.tolist()) - {0, 1, 2})
    expect(not invalid, f"expected 0 (training), 1 (validation) and 2 (test), found {invalid}")
    return splits


def _check_splits(spec: SplitterSpec) -> None:
    splits = _split(spec, _create_units(UNIT_COUNTS[0]))
    expect((splits == 0).any(), f"expected training units among {UNIT_COUNTS[0]}, found none")
    for count in UNIT_COUNTS[1:]:
        try:
            _split(spec, _create_units(count))
        except MtlError:  # a clear message about too few units is allowed
            continue


def _check_no_labels(spec: SplitterSpec) -> None:
    _split(spec, _create_units(UNIT_COUNTS[0], columns=0))


def _check_seed(spec: SplitterSpec) -> None:
    with preserves_rng_state():
        first = _split(spec, _create_units(UNIT_COUNTS[0]))
    np.random.random(3)
    second = _split(type(spec).model_validate(spec.model_dump(mode="json")), _create_units(UNIT_COUNTS[0]))
    expect(np.array_equal(first, second), "expected the same splits from the same seed, found others")


def _check_units_unchanged(spec: SplitterSpec) -> None:
    units, before = _create_units(UNIT_COUNTS[0]), _create_units(UNIT_COUNTS[0])
    _split(spec, units)
    is_same = np.array_equal(units.indicators, before.indicators) and np.array_equal(units.sizes, before.sizes)
    expect(is_same and units.columns == before.columns, "expected the units to be unchanged, found them changed")


def _check_partition(spec: SplitterSpec) -> None:
    count = 80
    groups = [f"group {row // 2}" for row in range(count)]
    labels: list[Label | None] = [("low", "high", None)[row % 3] for row in range(count)]
    corpus = Corpus(
        ids=[str(row) for row in range(count)],
        inputs=[f"text {row}" for row in range(count)],
        labels={"task": labels},
        splits=["train" if row < count - 10 else "test" for row in range(count)],
        groups=groups,
    )
    split = split_corpus(corpus, np.ones(count, dtype=np.bool_), corpus.labels, spec, seed=3)
    splits = (split.train, split.validation, split.test)
    rows = np.sort(np.concatenate(splits))
    expected_rows = np.arange(count - 10 if spec.replaces_test else count)
    expect(
        np.array_equal(rows, expected_rows),
        f"expected each of {len(expected_rows)} examples once, found {rows.tolist()}",
    )
    divided_groups = {groups[row] for row in split.train} & {groups[row] for row in split.validation}
    expect(not divided_groups, f"expected undivided groups, found divided: {sorted(divided_groups)}")
