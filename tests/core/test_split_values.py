"""Splits of small data, with splitters that return fixed splits, and splitters on small unit tables."""

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mtl_core.builtins.splitters.k_fold import KFold
from mtl_core.builtins.splitters.predefined import Predefined
from mtl_core.builtins.splitters.random_split import RandomSplit
from mtl_core.builtins.splitters.stratification import stratify
from mtl_core.builtins.splitters.stratified import Stratified
from mtl_core.data.corpus import Corpus, Label, SplitName
from mtl_core.data.splitting import Split, SplitUnits, build_indicator_columns, split_corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec

Labels = dict[str, Sequence[Label | None]]


class FixedSplit(SplitterSpec):
    """Returns fixed splits, and records the units that it receives."""

    type: str = "fixed"
    codes: list[int]
    is_test_replaced: bool = False

    @property
    def replaces_test(self) -> bool:
        return self.is_test_replaced

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        RECEIVED.append((units, seed))
        return np.array(self.codes, dtype=np.int8)


RECEIVED: list[tuple[SplitUnits, int]] = []


def build_corpus(labels: Labels, split_names: Sequence[SplitName] = (), groups: Any = ()) -> Corpus:
    n = len(next(iter(labels.values())))
    return Corpus(
        ids=[str(row) for row in range(n)],
        inputs=list(range(n)),
        labels=labels,
        splits=list(split_names) or ["train"] * n,
        groups=groups,
    )


def split_fixed(corpus: Corpus, codes: list[int], usable: Sequence[bool] | None = None, **keys: Any) -> Split:
    mask = np.array([True] * len(corpus) if usable is None else usable)
    return split_corpus(corpus, mask, corpus.labels, FixedSplit(codes=codes, **keys), 7)


def to_lists(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


# ── split_corpus ──


@pytest.mark.parametrize("groups", [["g", "h", "g", "i", "h", "g"], array("q", [5, 3, 5, 9, 3, 5])])
def test_groups_are_units_in_the_order_of_their_first_rows(groups: Any) -> None:
    labels: Labels = {"t": ["a", "b", None, "a", "a", "b"], "u": [None, "x", "x", None, None, None]}
    split = split_fixed(build_corpus(labels, groups=groups), [0, 1, 2])
    assert to_lists(split) == ([0, 2, 5], [1, 4], [3])
    units, seed = RECEIVED[-1]
    assert seed == 7
    assert list(units.columns) == [("t", "a"), ("t", "b"), ("u", "x")]
    assert units.indicators.tolist() == [[1, 1, 1], [1, 1, 1], [1, 0, 0]]
    assert units.indicators.dtype == np.uint8
    assert (units.sizes.tolist(), len(units), units.has_validation) == ([3, 2, 1], 3, False)


@pytest.mark.parametrize("groups", [(), array("q", [7, 7, 8, 9, 6, 5, 4, 3])])
def test_unusable_rows_are_dropped_and_predefined_splits_remain(groups: Any) -> None:
    names: list[SplitName] = ["test", "train", "validation", "train", "train", "train", "validation", "test"]
    corpus = build_corpus({"t": ["a"] * 8}, names, groups)
    usable = [False, True, False, False, True, True, False, False]
    assert to_lists(split_fixed(corpus, [0, 1, 2], usable)) == ([1], [2, 4, 6], [0, 5, 7])
    units, _ = RECEIVED[-1]
    assert units.has_validation
    assert units.sizes.tolist() == [1, 1, 1]
    assert to_lists(split_fixed(corpus, [0, 1, 2], usable, is_test_replaced=True)) == ([1], [2, 4, 6], [5])


def test_one_predefined_validation_row_is_a_validation_split() -> None:
    split_fixed(build_corpus({"t": ["a"] * 3}, ["train", "validation", "train"]), [0, 0])
    assert RECEIVED[-1][0].has_validation


def test_largest_imbalance_is_between_training_and_validation_rows() -> None:
    labels: Labels = {"t": ["a", "a", "a", "b", "b", "a"], "u": ["x", None, None, None, "x", "x"]}
    split = split_fixed(build_corpus(labels), [0, 0, 0, 1, 1, 2])
    assert split.largest_imbalance is not None  # all training rows are "a", no validation row is
    assert (split.largest_imbalance.task, split.largest_imbalance.label) == ("t", "a")
    assert split.largest_imbalance.points == 100
    same: Labels = {"t": ["a"] * 6, "u": ["x", None, "x", None, None, None]}
    split = split_fixed(build_corpus(same), [0, 0, 0, 0, 1, 1])
    assert split.largest_imbalance is not None
    assert (split.largest_imbalance.task, split.largest_imbalance.label, split.largest_imbalance.points) == (
        "u",
        "x",
        50,
    )
    assert split_fixed(build_corpus(labels), [0] * 6).largest_imbalance is None
    assert split_fixed(build_corpus({"t": [None] * 2}), [0, 1]).largest_imbalance is None


@pytest.mark.parametrize("codes", [[0, 1], [0, 1, 3], [0, 1, -1], [0, 1, 0, 0]])
def test_invalid_codes_of_splitters_are_refused(codes: list[int]) -> None:
    with pytest.raises(MtlError, match=r"the splitter 'fixed' must return 0, 1 or 2 for each of 3 units"):
        split_fixed(build_corpus({"t": ["a", "b", "a"]}), codes)


def test_empty_training_splits_are_refused() -> None:
    with pytest.raises(MtlError, match="the splitter 'fixed' leaves no training example"):
        split_fixed(build_corpus({"t": ["a", "b"]}), [1, 2])
    with pytest.raises(MtlError, match="no training example has a label for any task"):
        split_fixed(build_corpus({"t": ["a", "b"]}), [0, 0], [False, False])


def test_rows_of_a_split() -> None:
    empty = np.zeros(0, dtype=np.int64)
    split = Split(np.array([4, 8]), empty, empty, auxiliary_only=np.array([2, 9]))
    assert split.all_training_rows.tolist() == [2, 4, 8, 9]
    assert split.select_labelled(np.array([1, 2])).tolist() == [1, 2]
    masked = Split(np.array([0]), empty, empty, label_mask=np.array([True, False, True]))
    assert masked.select_labelled(np.array([2, 1])).tolist() == [2]
    assert split.auxiliary_only.dtype == Split(empty, empty, empty).auxiliary_only.dtype == np.int64


# ── indicators ──


def test_indicators_of_texts_lists_and_numbers() -> None:
    labels: Labels = {
        "mood": ["b", None, "a", "b"],
        "colours": [["red", "blue"], [], None, ["red"]],
        "stars": [1, 2, None, 1],
        "pair": [[0.5, None], [0.25, 1.0], None, [2.0, 3.0]],  # lists of numbers have no classes
    }
    cells, columns = build_indicator_columns(labels, 4)
    assert columns == [
        ("mood", "a"),
        ("mood", "b"),
        ("colours", "blue"),
        ("colours", "red"),
        ("stars", "1"),
        ("stars", "2"),
    ]
    assert cells.T.tolist() == [[0, 0, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 0, 0]]
    assert cells.dtype == np.uint8


def test_no_labels_have_no_columns() -> None:
    cells, columns = build_indicator_columns({"t": [None, None]}, 2)
    assert (cells.shape, cells.dtype, columns) == ((2, 0), np.dtype(np.uint8), [])


@pytest.mark.parametrize("as_text", [False, True])
def test_numbers_with_more_than_20_values_become_quartiles(as_text: bool) -> None:
    """Of the numbers 1 to 21, the quartiles are 6, 11 and 16; a quartile contains its upper edge."""
    numbers: list[Label | None] = [str(n) if as_text else n for n in range(1, 22)]
    cells, columns = build_indicator_columns({"t": [*numbers, None]}, 22)
    assert columns == [("t", "0"), ("t", "1"), ("t", "2"), ("t", "3")]
    assert cells.sum(axis=0).tolist() == [6, 5, 5, 5]
    assert cells[:, 0].tolist() == [1] * 6 + [0] * 16
    assert cells[21].tolist() == [0] * 4
    few, names = build_indicator_columns({"t": numbers[:20]}, 20)
    assert (few.shape, len(names)) == ((20, 20), 20)


def test_missing_numbers_are_no_value() -> None:
    numbers: list[Label | None] = [*range(20), None]
    assert len(build_indicator_columns({"t": numbers}, 21)[1]) == 20


def test_many_names_are_classes() -> None:
    names: list[Label | None] = [f"name {n}" for n in range(25)]
    assert len(build_indicator_columns({"t": names}, 25)[1]) == 25
    lists: list[Label | None] = [[f"word {n}"] for n in range(25)]
    assert len(build_indicator_columns({"t": lists}, 25)[1]) == 25


# ── splitters ──


def build_units(n: int, has_validation: bool = False, indicators: NDArray[np.uint8] | None = None) -> SplitUnits:
    table = np.zeros((n, 0), dtype=np.uint8) if indicators is None else indicators
    return SplitUnits(
        table, [("t", str(column)) for column in range(table.shape[1])], np.ones(n, dtype=np.int64), has_validation
    )


def count(splitter: SplitterSpec, units: SplitUnits, seed: int = 0) -> dict[int, int]:
    codes = splitter.split(units, seed)
    assert codes.dtype == np.int8
    return dict(sorted(Counter(codes.tolist()).items()))


@pytest.mark.parametrize("kind", [RandomSplit, Stratified])
def test_fractions_of_units(kind: type[RandomSplit | Stratified]) -> None:
    assert count(kind(), build_units(40)) == {0: 32, 1: 8}  # a fifth by default
    assert count(kind(), build_units(40, has_validation=True)) == {0: 40}
    assert count(kind(validation=0.1), build_units(40, has_validation=True)) == {0: 36, 1: 4}
    assert count(kind(validation=0.25, test=0.5), build_units(40)) == {0: 10, 1: 10, 2: 20}
    assert count(kind(validation=0.0, test=0.5), build_units(40)) == {0: 20, 2: 20}
    assert count(kind(validation=0.25, test=0.25), build_units(40)) == {0: 20, 1: 10, 2: 10}
    first, again, other = (kind().split(build_units(40), seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("kind", [RandomSplit, Stratified])
def test_fractions_that_leave_nothing_for_training_are_refused(kind: type[RandomSplit | Stratified]) -> None:
    with pytest.raises(ValueError, match="validation and test add up to 1 of the examples; the sum must be below 1"):
        kind(validation=0.5, test=0.5)
    with pytest.raises(ValueError, match=r"add up to 1\.1 of"):
        kind(test=0.9)  # with the default of 0.2
    assert kind(validation=0.5, test=0.4).test == 0.4


def test_predefined_splitter_uses_all_units_for_training() -> None:
    assert count(Predefined(), build_units(5)) == {0: 5}


def test_each_fold_is_the_test_split_once() -> None:
    units = build_units(20, indicators=np.eye(2, dtype=np.uint8).repeat(10, axis=0))
    folds = [KFold(folds=4, fold=fold).split(units, 3) for fold in range(4)]
    assert sum(folds).tolist() == [1] * 20  # type: ignore[union-attr]
    for fold in folds:
        assert 4 <= int(fold.sum()) <= 6
        assert abs(int(fold[:10].sum()) - 2.5) < 1  # two or three of each class


def test_test_fold_and_validation_units() -> None:
    units = build_units(40)
    as_validation = KFold(folds=4, fold=1).split(units, 3)
    assert not KFold(folds=4, fold=1).replaces_test
    for keys, n_validation in (({}, 6), ({"validation": 0.5}, 15), ({"validation": 0.0}, 0)):
        splitter = KFold(folds=4, fold=1, hold_out="test", **keys)  # type: ignore[arg-type]
        codes = splitter.split(units, 3)
        assert splitter.replaces_test
        assert (codes == 2).tolist() == (as_validation == 1).tolist()
        assert int((codes == 1).sum()) == n_validation
    with_validation = KFold(folds=4, fold=1, hold_out="test").split(build_units(40, has_validation=True), 3)
    assert Counter(with_validation.tolist()) == {0: 30, 2: 10}


def test_seed_of_folds() -> None:
    units = build_units(30)
    splits_by_seed = [KFold(folds=3).split(units, seed).tolist() for seed in (1, 2)]
    shared = [KFold(folds=3, split_seed=2).split(units, seed).tolist() for seed in (1, 2)]
    assert splits_by_seed[0] != splits_by_seed[1]
    assert shared == [splits_by_seed[1]] * 2
    test_fold = [KFold(folds=3, hold_out="test", split_seed=2).split(units, seed) for seed in (1, 5)]
    assert (test_fold[0] == 2).tolist() == (test_fold[1] == 2).tolist()
    assert (test_fold[0] == 1).tolist() != (test_fold[1] == 1).tolist()  # validation units depend on the run's seed


def test_invalid_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="fold 3 of 3 does not exist; folds are counted from 0"):
        KFold(folds=3, fold=3)
    with pytest.raises(
        ValueError, match="the fold is the validation data; `validation` applies to `hold_out: test` only"
    ):
        KFold(validation=0.1)
    with pytest.raises(MtlError, match=r"split.folds: 5 folds need as many distinct examples, found 4"):
        KFold(folds=5).split(build_units(4), 0)
    assert count(KFold(folds=4), build_units(4)) == {0: 3, 1: 1}


# ── stratification ──


def test_classes_are_divided_exactly_if_possible() -> None:
    """Ten rows of each of three classes and ten without one: every split has its share of each."""
    indicators = np.zeros((40, 3), dtype=np.uint8)
    for column in range(3):
        indicators[10 * column : 10 * (column + 1), column] = 1
    for seed in range(3):
        assignment = stratify(indicators, [0.5, 0.3, 0.2], seed)
        for start in range(0, 40, 10):
            assert np.bincount(assignment[start : start + 10], minlength=3).tolist() == [5, 3, 2]


def test_empty_and_single_splits() -> None:
    indicators = np.zeros((4, 1), dtype=np.uint8)
    assert stratify(indicators, [0.0, 1.0, 0.0], 0).tolist() == [1] * 4
    assert stratify(indicators, [0.0, 0.0], 0).tolist() == [0] * 4
    assert stratify(indicators[:1], [0.0, 0.5, 0.5], 0).tolist() == [1]
    assert sorted(stratify(indicators[:2], [0.5, 0.0, 0.5], 0).tolist()) == [0, 2]
    assert stratify(indicators[:2], [0.4, 0.3, 0.3], 0).tolist() == [0, 1]
    assert {tuple(stratify(indicators[:2], [0.5, 0.5], seed).tolist()) for seed in range(20)} == {(0, 1), (1, 0)}


def test_columns_of_most_rows_do_not_mislead() -> None:
    """A column that 90 % of the rows have is ignored; otherwise it would be assigned first."""
    random = np.random.default_rng(1)
    rare = random.random((100, 4)) < 0.1
    indicators = np.column_stack([~rare.any(axis=1), rare]).astype(np.uint8)
    for seed in range(3):
        assignment = stratify(indicators, [0.8, 0.2], seed)
        gaps = np.abs(indicators[assignment == 1].mean(axis=0) - indicators.mean(axis=0))
        assert float(gaps.max()) < 0.04
