"""Checks of splitters."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.splitting import SplitUnits, split_corpus
from mtl_core.errors import MtlError
from mtl_core.specs import SplitterSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks

SIZES = (60, 7, 1)
"""Numbers of units that a splitter is checked with."""


def splitter_checks(spec: SplitterSpec, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.splitter_checks`."""
    checks = spec_checks(spec)
    checks.add("parts", "It assigns every unit to split 0, 1 or 2, for any number of units.", lambda: _parts(spec))
    checks.add("no-labels", "It splits units without labels.", lambda: _no_labels(spec))
    checks.add("seed", "The same seed gives the same splits; no global generator is used.", lambda: _seed(spec))
    checks.add("units-kept", "It does not change the units.", lambda: _units_kept(spec))
    checks.add(
        "partition", "Every example of a corpus is in one split; groups are not divided.", lambda: _partition(spec)
    )
    return checks.without(without)


def _units(count: int, columns: int = 4) -> SplitUnits:
    random = np.random.default_rng(count)
    indicators = (random.random((count, columns)) < 0.3).astype(np.uint8)
    names = [("task", f"class {column}") for column in range(columns)]
    return SplitUnits(indicators, names, random.integers(1, 4, size=count))


def _split(spec: SplitterSpec, units: SplitUnits, seed: int = 3) -> NDArray[np.int8]:
    parts = spec.split(units, seed)
    expect(isinstance(parts, np.ndarray), f"expected an array, found a {type(parts).__name__}")
    expect(parts.shape == (len(units),), f"expected the shape ({len(units)},), found {parts.shape}")
    expect(np.issubdtype(parts.dtype, np.integer), f"expected integers, found {parts.dtype}")
    strange = sorted(set(parts.tolist()) - {0, 1, 2})
    expect(not strange, f"expected 0 (training), 1 (validation) and 2 (test), found {strange}")
    return parts


def _parts(spec: SplitterSpec) -> None:
    parts = _split(spec, _units(SIZES[0]))
    expect((parts == 0).any(), f"expected training units among {SIZES[0]}, found none")
    for count in SIZES[1:]:
        try:
            _split(spec, _units(count))
        except MtlError:  # a clear message about too few units is allowed
            continue


def _no_labels(spec: SplitterSpec) -> None:
    _split(spec, _units(SIZES[0], columns=0))


def _seed(spec: SplitterSpec) -> None:
    with left_alone():
        first = _split(spec, _units(SIZES[0]))
    np.random.random(3)
    again = _split(type(spec).model_validate(spec.model_dump(mode="json")), _units(SIZES[0]))
    expect(np.array_equal(first, again), "expected the same splits from the same seed, found others")


def _units_kept(spec: SplitterSpec) -> None:
    units, before = _units(SIZES[0]), _units(SIZES[0])
    _split(spec, units)
    same = np.array_equal(units.indicators, before.indicators) and np.array_equal(units.sizes, before.sizes)
    expect(same and units.columns == before.columns, "expected the units to be unchanged, found them changed")


def _partition(spec: SplitterSpec) -> None:
    count = 80
    groups = [f"group {row // 2}" for row in range(count)]
    labels: list[Label | None] = [("low", "high", None)[row % 3] for row in range(count)]
    corpus = Corpus(
        ids=[str(row) for row in range(count)],
        inputs=[f"text {row}" for row in range(count)],
        labels={"task": labels},
        parts=["train" if row < count - 10 else "test" for row in range(count)],
        groups=groups,
    )
    split = split_corpus(corpus, np.ones(count, dtype=np.bool_), corpus.labels, spec, seed=3)
    parts = (split.train, split.validation, split.test)
    rows = np.sort(np.concatenate(parts))
    divided_rows = np.arange(count - 10 if spec.replaces_test else count)
    expect(
        np.array_equal(rows, divided_rows),
        f"expected each of {len(divided_rows)} examples once, found {rows.tolist()}",
    )
    divided = {groups[row] for row in split.train} & {groups[row] for row in split.validation}
    expect(not divided, f"expected undivided groups, found divided: {sorted(divided)}")
