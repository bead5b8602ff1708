"""Checks of splitters."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.metadata_leaks import find_metadata_leaks
from mtl_core.data.splitting import Split, SplitUnits, split_corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.spec import spec_checks

UNIT_COUNTS = (60, 7, 1)
"""Numbers of units that a splitter is checked with."""
Metadata = Mapping[str, Sequence[object]]
SAMPLE_METADATA: Metadata = {
    "user": [f"user {number}" for number in range(40)],
    "date": [(date(2024, 1, 20) + timedelta(days=number)).isoformat() for number in range(40)],
}
"""The cells of the columns of metadata, unless others are handed in."""


def splitter_checks(spec: SplitterSpec, metadata: Metadata | None, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.splitter_checks`."""
    cells = SAMPLE_METADATA if metadata is None else metadata
    checks = spec_checks(spec)
    checks.add(
        "splits",
        "It assigns every unit to split 0, 1 or 2, for any number of units.",
        lambda: _check_splits(spec, cells),
    )
    checks.add("no-labels", "It splits units without labels.", lambda: _check_no_labels(spec, cells))
    checks.add(
        "no-metadata",
        "It splits units without metadata, or raises an `MtlError`.",
        lambda: _check_no_metadata(spec),
    )
    checks.add(
        "seed", "The same seed gives the same splits; no global generator is used.", lambda: _check_seed(spec, cells)
    )
    checks.add("units-unchanged", "It does not change the units.", lambda: _check_units_unchanged(spec, cells))
    checks.add(
        "partition",
        "Every example of a corpus is in one split; groups are not divided.",
        lambda: _check_partition(spec, cells),
    )
    checks.add(
        "leaks", "`find_leaks` finds no example on the wrong side of its own splits.", lambda: _check_leaks(spec, cells)
    )
    return checks.skip_checks(skip)


def _stretch(cells: Sequence[object], count: int) -> list[object]:
    """Return `count` cells, equal ones in a row."""
    return [cells[row * len(cells) // count] for row in range(count)]


def _create_units(cells: Metadata, count: int, columns: int = 4) -> SplitUnits:
    generator = np.random.default_rng(count)
    indicators = (generator.random((count, columns)) < 0.3).astype(np.uint8)
    names = [("task", f"class {column}") for column in range(columns)]
    sizes = generator.integers(1, 4, size=count)
    n_examples = int(sizes.sum())
    metadata = ExampleMetadata(
        {name: _stretch(column, n_examples) for name, column in cells.items()},
        [f"example {row}" for row in range(n_examples)],
    )
    return SplitUnits(indicators, names, sizes, metadata=metadata, unit_of_example=np.repeat(np.arange(count), sizes))


def _split(spec: SplitterSpec, units: SplitUnits, seed: int = 3) -> NDArray[np.int8]:
    splits = spec.split(units, seed)
    expect(isinstance(splits, np.ndarray), f"expected an array, found a {type(splits).__name__}")
    expect(splits.shape == (len(units),), f"expected the shape ({len(units)},), found {splits.shape}")
    expect(np.issubdtype(splits.dtype, np.integer), f"expected integers, found {splits.dtype}")
    invalid = sorted(set(splits.tolist()) - {0, 1, 2})
    expect(not invalid, f"expected 0 (training), 1 (validation) and 2 (test), found {invalid}")
    return splits


def _check_splits(spec: SplitterSpec, cells: Metadata) -> None:
    splits = _split(spec, _create_units(cells, UNIT_COUNTS[0]))
    expect((splits == 0).any(), f"expected training units among {UNIT_COUNTS[0]}, found none")
    for count in UNIT_COUNTS[1:]:
        try:
            _split(spec, _create_units(cells, count))
        except MtlError:  # a clear message about too few units is allowed
            continue


def _check_no_labels(spec: SplitterSpec, cells: Metadata) -> None:
    _split(spec, _create_units(cells, UNIT_COUNTS[0], columns=0))


def _check_no_metadata(spec: SplitterSpec) -> None:
    try:
        _split(spec, _create_units({}, UNIT_COUNTS[0]))
    except MtlError:  # a clear message about a missing column
        return


def _check_seed(spec: SplitterSpec, cells: Metadata) -> None:
    with preserves_rng_state():
        first = _split(spec, _create_units(cells, UNIT_COUNTS[0]))
    np.random.random(3)
    second = _split(type(spec).model_validate(spec.model_dump(mode="json")), _create_units(cells, UNIT_COUNTS[0]))
    expect(np.array_equal(first, second), "expected the same splits from the same seed, found others")


def _check_units_unchanged(spec: SplitterSpec, cells: Metadata) -> None:
    units, before = _create_units(cells, UNIT_COUNTS[0]), _create_units(cells, UNIT_COUNTS[0])
    _split(spec, units)
    is_same = (
        np.array_equal(units.indicators, before.indicators)
        and np.array_equal(units.sizes, before.sizes)
        and np.array_equal(units.unit_of_example, before.unit_of_example)
    )
    expect(
        is_same and units.columns == before.columns and units.metadata == before.metadata,
        "expected the units to be unchanged, found them changed",
    )


def _create_corpus(cells: Metadata) -> Corpus:
    count = 80
    labels: list[Label | None] = [("low", "high", None)[row % 3] for row in range(count)]
    return Corpus(
        ids=[str(row) for row in range(count)],
        inputs=[f"text {row}" for row in range(count)],
        labels={"task": labels},
        splits=["train" if row < count - 10 else "test" for row in range(count)],
        groups=[f"group {row // 2}" for row in range(count)],
        metadata={name: _stretch(column, count) for name, column in cells.items()},
    )


def _split_corpus(spec: SplitterSpec, corpus: Corpus) -> Split:
    return split_corpus(corpus, np.ones(len(corpus), dtype=np.bool_), corpus.labels, spec, seed=3)


def _check_partition(spec: SplitterSpec, cells: Metadata) -> None:
    corpus = _create_corpus(cells)
    split = _split_corpus(spec, corpus)
    rows = np.sort(np.concatenate([split.train, split.validation, split.test]))
    expected_rows = np.arange(len(corpus.get_row_indices("train")) if spec.replaces_test else len(corpus))
    expect(
        np.array_equal(rows, expected_rows),
        f"expected each of {len(expected_rows)} examples once, found {rows.tolist()}",
    )
    divided_groups = {str(corpus.groups[row]) for row in split.train} & {
        str(corpus.groups[row]) for row in split.validation
    }
    expect(not divided_groups, f"expected undivided groups, found divided: {sorted(divided_groups)}")


def _check_leaks(spec: SplitterSpec, cells: Metadata) -> None:
    corpus = _create_corpus(cells)
    split = _split_corpus(spec, corpus)
    test_rows = np.intersect1d(split.test, corpus.get_row_indices("train"))
    for rows, held_out in (
        (split.train, split.validation),
        (split.train, test_rows),
        (split.validation, test_rows),
    ):
        leaks = rows[find_metadata_leaks(corpus, spec, rows, held_out)]
        expect(not len(leaks), f"expected no leak between its splits, found the examples {leaks.tolist()}")
