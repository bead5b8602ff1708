import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtl_core.builtins.splitters.k_fold import KFold
from mtl_core.builtins.splitters.predefined import Predefined
from mtl_core.builtins.splitters.random_split import RandomSplit
from mtl_core.builtins.splitters.stratification import stratify
from mtl_core.builtins.splitters.stratified import Stratified
from mtl_core.data.corpus import Corpus, Label, SplitName
from mtl_core.data.splitting import MAX_DISTINCT_VALUES, Split, SplitUnits, build_indicator_columns, split_corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec
from mtl_core.seeding import derive_seed

REAL = Path(__file__).parents[3] / "shared" / "data" / "semeval2014" / "Restaurants_Train_v2.xml"

SPLITTERS: dict[str, SplitterSpec] = {
    "stratified": Stratified(),
    "stratified with test": Stratified(validation=0.3, test=0.2),
    "stratified without validation": Stratified(validation=0.0),
    "random": RandomSplit(validation=0.25, test=0.15),
    "k-fold": KFold(folds=3, fold=1),
    "predefined": Predefined(),
}
# Folds held out as test data have separate tests: such a fold is the complete test split.


def build_corpus(
    inputs: Sequence[object], labels: dict[str, Sequence[Label | None]], parts: Sequence[SplitName] = ()
) -> Corpus:
    return Corpus(
        ids=[str(row) for row in range(len(inputs))],
        inputs=inputs,
        labels=labels,
        splits=list(parts) or ["train"] * len(inputs),
    )


def split_table(corpus: Corpus, splitter: SplitterSpec, seed: int = 0, usable: np.ndarray | None = None) -> Split:
    if usable is None:
        usable = np.ones(len(corpus), dtype=bool)
    return split_corpus(corpus, usable, corpus.labels, splitter, seed)


@st.composite
def draw_corpora(draw: st.DrawFn) -> Corpus:
    """Draw random label tables with missing labels and duplicate texts."""
    rows = draw(st.integers(4, 40))
    texts = draw(st.lists(st.sampled_from([f"Text {n}" for n in range(30)]), min_size=rows, max_size=rows))
    texts = [draw(st.sampled_from([text, text.upper(), f" {text} "])) for text in texts]
    label = st.sampled_from([None, None, "a", "b", "c"])
    labels: dict[str, Sequence[Label | None]] = {
        f"t{task}": draw(st.lists(label, min_size=rows, max_size=rows)) for task in range(draw(st.integers(1, 3)))
    }
    parts: list[SplitName] = draw(
        st.lists(st.sampled_from(["train"] * 8 + ["validation", "test"]), min_size=rows, max_size=rows)
    )
    return build_corpus(texts, labels, parts)


def global_states() -> list[str]:
    return [repr(random.getstate()), repr(np.random.get_state()), repr(torch.get_rng_state().tolist())]


@pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS)
@settings(max_examples=20, deadline=None)
@given(corpus=draw_corpora(), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_split_is_complete_disjoint_reproducible_and_groups_equal_inputs(
    splitter: SplitterSpec, corpus: Corpus, seed: int, data: st.DataObject
) -> None:
    usable = np.array(
        data.draw(st.lists(st.sampled_from([True] * 5 + [False]), min_size=len(corpus), max_size=len(corpus)))
    )
    trainable = [row for row in corpus.get_row_indices("train") if usable[row]]
    groups = {corpus.groups[row] for row in trainable}
    assume(len(groups) >= 3)  # fewer groups cannot be divided
    before = global_states()

    result = split_table(corpus, splitter, seed, usable)

    parts = [result.train.tolist(), result.validation.tolist(), result.test.tolist()]
    expected_rows = sorted([*trainable, *corpus.get_row_indices("validation"), *corpus.get_row_indices("test")])
    assert sorted(row for part in parts for row in part) == expected_rows  # complete and disjoint
    assert all(part == sorted(part) for part in parts)
    assert set(corpus.get_row_indices("validation")) <= set(parts[1])
    assert set(corpus.get_row_indices("test")) <= set(parts[2])
    groups_by_split = [{corpus.groups[row] for row in part if corpus.splits[row] == "train"} for part in parts]
    assert sum(map(len, groups_by_split)) == len(groups)  # no group in two splits
    assert global_states() == before
    repeated = split_table(corpus, splitter, seed, usable)
    assert [repeated.train.tolist(), repeated.validation.tolist(), repeated.test.tolist()] == parts


@pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS)
def test_another_seed_gives_another_split(splitter: SplitterSpec) -> None:
    numbers = np.random.default_rng(0)
    corpus = build_corpus(range(60), {"t": [str(value) for value in numbers.integers(0, 3, 60)]})
    result = {tuple(split_table(corpus, splitter, seed).train.tolist()) for seed in range(4)}
    divides = not isinstance(splitter, Predefined) and not (
        isinstance(splitter, Stratified) and splitter.validation == 0
    )
    assert len(result) == (4 if divides else 1)


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_folds_do_not_overlap_and_cover_everything(folds: int) -> None:
    numbers = np.random.default_rng(1)
    corpus = build_corpus(
        [int(value) for value in numbers.integers(0, 150, 200)],
        {f"t{n}": [None if v == 3 else str(v) for v in numbers.integers(0, 4, 200)] for n in range(2)},
    )
    parts = [split_table(corpus, KFold(folds=folds, fold=fold), 7) for fold in range(folds)]
    assert sorted(row for part in parts for row in part.validation.tolist()) == list(range(200))
    for part in parts:
        assert not set(part.train) & set(part.validation)
        assert len(part.train) + len(part.validation) == 200
        assert abs(len(part.validation) - 200 / folds) <= 200 * 0.06


def test_folds_can_be_shared_by_runs_with_different_seeds() -> None:
    corpus = build_corpus(range(50), {"t": ["a", "b"] * 25})
    seeded_folds = {tuple(split_table(corpus, KFold(), seed).validation) for seed in range(3)}
    shared_folds = {tuple(split_table(corpus, KFold(split_seed=5), seed).validation) for seed in range(3)}
    assert len(seeded_folds) == 3
    assert len(shared_folds) == 1


def test_test_fold_does_not_change_the_validation_data() -> None:
    split_names: list[SplitName] = ["train" if row < 90 else "test" for row in range(120)]
    corpus = build_corpus(range(120), {"t": ["a", "b", "c"] * 40}, split_names)
    parts = [split_table(corpus, KFold(folds=3, fold=fold, hold_out="test"), 5) for fold in range(3)]
    as_validation = [split_table(corpus, KFold(folds=3, fold=fold), 5) for fold in range(3)]
    for part, validation_fold in zip(parts, as_validation, strict=True):
        assert np.array_equal(part.test, validation_fold.validation)  # the same folds; predefined test data is excluded
        assert set(part.train) | set(part.validation) == set(validation_fold.train)
        assert not set(part.train) & set(part.validation)
        assert len(part.validation) == pytest.approx(12, abs=2)
    assert sorted(row for part in parts for row in part.test.tolist()) == list(range(90))
    half = split_table(corpus, KFold(folds=3, hold_out="test", validation=0.5), 5)
    assert len(half.validation) == len(half.train) == 30


def test_predefined_validation_data_is_used_with_test_folds() -> None:
    split_names: list[SplitName] = ["train" if row < 45 else "validation" for row in range(60)]
    corpus = build_corpus(range(60), {"t": ["a", "b", "c"] * 20}, split_names)
    result = split_table(corpus, KFold(folds=3, hold_out="test"), 5)
    assert result.validation.tolist() == list(range(45, 60))
    assert len(result.train) + len(result.test) == 45


def test_number_of_folds_equals_number_of_examples() -> None:
    corpus = build_corpus(range(150), {"t": ["a", "b", "c"] * 50})
    result = split_table(corpus, KFold(folds=150, fold=149), 0)
    assert len(result.validation) <= 5
    assert len(result.train) + len(result.validation) == 150


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 60), st.sampled_from([0.0, 0.1, 0.25, 0.5]), st.sampled_from([0.0, 0.1, 0.3]), st.integers(0, 9))
def test_random_split_has_the_configured_shares(rows: int, validation: float, test: float, seed: int) -> None:
    result = split_table(
        build_corpus(range(rows), {"t": ["a"] * rows}), RandomSplit(validation=validation, test=test), seed
    )
    assert abs(len(result.validation) - rows * validation) <= 0.5
    assert abs(len(result.test) - rows * test) <= 0.5


@pytest.mark.parametrize("seed", range(5))
def test_stratified_split_has_the_configured_shares_per_class(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    rows = 400
    labels: dict[str, Sequence[Label | None]] = {
        f"t{task}": numbers.choice(["a", "b", "c", "rare"], rows, p=[0.5, 0.3, 0.15, 0.05]).tolist()
        for task in range(3)
    }
    corpus = build_corpus(range(rows), labels)
    result = split_table(corpus, Stratified(validation=0.25, test=0.15), seed)
    random_result = split_table(corpus, RandomSplit(validation=0.25, test=0.15), seed)

    def largest_deviation(parts: Split) -> float:
        indicators, _ = build_indicator_columns(labels, rows)
        return max(
            float(np.abs(indicators[part].mean(axis=0) - indicators.mean(axis=0)).max())
            for part in (parts.train, parts.validation, parts.test)
        )

    assert abs(len(result.validation) / rows - 0.25) < 0.02
    assert abs(len(result.test) / rows - 0.15) < 0.02
    assert largest_deviation(result) <= 2.5 / len(result.test)  # two or three examples of the smallest split
    assert largest_deviation(result) < largest_deviation(random_result)


@pytest.mark.parametrize(
    "labels", [["a"] * 12, ["a"] * 11 + ["b"], [None] * 11 + ["a"]], ids=["one class", "almost", "sparse"]
)
@pytest.mark.parametrize("rows", [2, 3, 12])
def test_labels_that_cannot_be_balanced_are_split(rows: int, labels: list[str | None]) -> None:
    for seed in range(5):
        result = split_table(build_corpus(range(rows), {"t": labels[-rows:]}), Stratified(validation=0.5), seed)
        assert len(result.train) >= 1
        assert len(result.validation) >= 1


def test_a_single_example_is_for_training() -> None:
    for seed in range(5):
        result = split_table(build_corpus(["x", "X", " x"], {"t": ["a", "b", "a"]}), Stratified(), seed)
        assert result.train.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rows", range(2, 12))
def test_few_examples_keep_a_training_split(rows: int) -> None:
    for seed in range(10):
        corpus = build_corpus(range(rows), {"t": (["a", "b", "c"] * rows)[:rows], "u": ([None, "x"] * rows)[:rows]})
        assert len(split_table(corpus, Stratified(), seed).train) >= rows / 2
        assert len(split_table(corpus, Stratified(validation=0.3, test=0.3), seed).train) >= 1


def test_more_folds_than_distinct_examples_are_refused() -> None:
    with pytest.raises(MtlError, match="5 folds need as many distinct examples, found 2"):
        split_table(build_corpus(["x", "X", "y"], {"t": ["a", "b", "a"]}), KFold(), 0)


def test_identical_arrays_stay_together() -> None:
    arrays = [np.array([row % 10, 1.0]) for row in range(40)]
    result = split_table(build_corpus(arrays, {"t": ["a", "b"] * 20}), RandomSplit(validation=0.5), 3)
    assert not {row % 10 for row in result.train.tolist()} & {row % 10 for row in result.validation.tolist()}


def test_largest_imbalance_formula() -> None:
    class FirstTwo(SplitterSpec):
        type: str = "first-two"

        def split(self, units: SplitUnits, seed: int) -> np.ndarray:
            return np.array([1, 1, 0, 0, 0], dtype=np.int8)

    corpus = build_corpus(range(5), {"t": ["a", "a", "a", "b", None], "u": ["x", None, None, None, "x"]})
    imbalance = split_table(corpus, FirstTwo()).largest_imbalance
    assert imbalance is not None
    assert (imbalance.task, imbalance.label) == ("t", "a")
    assert imbalance.points == pytest.approx(100 - 100 / 3)


@pytest.mark.parametrize("codes", [[0, 1], [0, 1, 2, 3], [0, 1, -1], [1, 1, 2]])
def test_invalid_splitter_output_is_refused_by_name(codes: list[int]) -> None:
    class Nonsense(SplitterSpec):
        type: str = "nonsense"

        def split(self, units: SplitUnits, seed: int) -> np.ndarray:
            return np.array(codes, dtype=np.int8)

    with pytest.raises(MtlError, match="the splitter 'nonsense'"):
        split_table(build_corpus(range(3), {"t": ["a", "b", "a"]}), Nonsense())


def test_no_usable_example_is_refused() -> None:
    corpus = build_corpus(range(3), {"t": [None, None, None]})
    with pytest.raises(MtlError, match="no training example has a label"):
        split_table(corpus, Stratified(), 0, np.zeros(3, dtype=bool))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=120))
def test_numbers_become_quartiles_and_a_missing_one_has_no_column(values: list[float | None]) -> None:
    cells, names = build_indicator_columns({"t": values}, len(values))
    known = [value for value in values if value is not None]
    assert cells.shape == (len(values), len(names))
    assert cells.sum(axis=1).tolist() == [int(value is not None) for value in values]
    if len(set(known)) > MAX_DISTINCT_VALUES:
        assert len(names) <= 4
        ordered = [int(cells[row].argmax()) for row in np.argsort([np.inf if v is None else v for v in values])]
        assert ordered[: len(known)] == sorted(ordered[: len(known)])
    else:
        assert len(names) == len({str(value) for value in known})


def test_shares_that_leave_no_training_data_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"add up to 1\.2 of the examples"):
        Stratified(validation=0.6, test=0.6)
    with pytest.raises(ValidationError, match="fold 5 of 5 does not exist"):
        KFold(fold=5)
    with pytest.raises(ValidationError, match="the fold is the validation data; `validation` applies to"):
        KFold(validation=0.2)


def test_share_zero_yields_an_empty_split() -> None:
    parts = stratify(np.eye(12, dtype=np.uint8)[:, :4], [0.5, 0.0, 0.5], seed=1)
    assert set(parts.tolist()) == {0, 2}


@pytest.mark.shared
@pytest.mark.parametrize("seed", range(5))
def test_classes_of_the_real_training_file_have_the_same_share_in_both_splits(seed: int) -> None:
    semeval = pytest.importorskip("absa_plugin.semeval")
    if not REAL.is_file():
        pytest.skip("the real training file is not next to the checkout")
    corpus: Corpus = semeval.SemEval2014(train=REAL).load()
    result = split_table(corpus, Stratified(), derive_seed(seed, "split"))
    assert len(result.train) + len(result.validation) == 3041
    assert abs(len(result.validation) / 3041 - 0.2) < 0.005
    for task, column in corpus.labels.items():
        for label in set(column):
            shares = [
                np.mean([column[row] == label for row in part]) * 100 for part in (result.train, result.validation)
            ]
            assert abs(shares[0] - shares[1]) <= 0.5, (task, label)


@pytest.mark.parametrize("splitter", [Stratified(), RandomSplit()], ids=["stratified", "random"])
@pytest.mark.parametrize("is_predefined", [True, False])
def test_predefined_validation_data_keeps_all_training_data(splitter: SplitterSpec, is_predefined: bool) -> None:
    """The default share is split off only without a predefined validation split; an explicit share always is."""
    labels = [str(number % 2) for number in range(50)]
    parts: list[SplitName] = ["train"] * 40 + (["validation"] if is_predefined else ["test"]) * 10  # type: ignore[assignment]
    corpus = Corpus(ids=[str(n) for n in range(50)], inputs=list(range(50)), labels={"t": labels}, splits=parts)
    result = split_table(corpus, splitter, 0)
    assert len(result.train) == (40 if is_predefined else 32)
    assert len(result.validation) == (10 if is_predefined else 8)
    explicit_result = split_table(corpus, type(splitter)(validation=0.25), 0)  # type: ignore[call-arg]
    assert len(explicit_result.train) == 30


def test_cached_assignments_are_those_of_a_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    indicators = np.random.default_rng(3).integers(0, 2, (40, 5)).astype(np.uint8)
    first = stratify(indicators, [0.7, 0.3], seed=1)
    expected = first.copy()
    first[:] = 9  # the caller's array is no part of the cache
    np.testing.assert_array_equal(stratify(indicators, [0.7, 0.3], seed=1), expected)
    assert not np.array_equal(stratify(indicators, [0.7, 0.3], seed=2), expected)
    assert not np.array_equal(stratify(1 - indicators, [0.7, 0.3], seed=1), expected)
    monkeypatch.setattr("mtl_core.builtins.splitters.stratification.MAX_CACHED_BYTES", 0)
    np.testing.assert_array_equal(stratify(indicators, [0.7, 0.3], seed=1), expected)
