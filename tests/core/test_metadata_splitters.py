"""Splits by group and by time: what they promise, for any data."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mtl_core.builtins.splitters.group_split import GroupSplit
from mtl_core.builtins.splitters.k_fold import KFold
from mtl_core.builtins.splitters.time_split import TimeSplit
from mtl_core.builtins.splitters.times import parse_times
from mtl_core.config.load import load_experiment
from mtl_core.data.corpus import Corpus, Label, SplitName
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.metadata_leaks import describe_metadata_leaks
from mtl_core.data.prepare import prepare
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.errors import MtlError
from mtl_core.experiments.trials import build_fold_overrides
from mtl_core.plugins.specs import SplitterSpec

FRACTIONS = [{}, {"validation": 0.3, "test": 0.2}, {"validation": 0.0, "test": 0.4}, {"validation": 0.0}]


def build_corpus(
    cells: Sequence[object],
    inputs: Sequence[object] | None = None,
    labels: Sequence[Label | None] | None = None,
    splits: Sequence[SplitName] | None = None,
) -> Corpus:
    return Corpus(
        ids=[str(row) for row in range(len(cells))],
        inputs=inputs or list(range(len(cells))),
        labels={"t": labels or ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)},
        splits=splits or ["train"] * len(cells),
        locations=[f"a.csv:{row + 2}" for row in range(len(cells))],
        metadata={"column": cells},
    )


def split_all(corpus: Corpus, splitter: SplitterSpec, seed: int = 0) -> Split:
    return split_corpus(corpus, np.ones(len(corpus), dtype=bool), corpus.labels, splitter, seed)


def list_parts(split: Split) -> list[list[int]]:
    return [split.train.tolist(), split.validation.tolist(), split.test.tolist()]


def refuse(corpus: Corpus, splitter: SplitterSpec) -> str:
    with pytest.raises(MtlError) as excinfo:
        split_all(corpus, splitter)
    return str(excinfo.value)


@st.composite
def draw_corpora(draw: st.DrawFn, cells: st.SearchStrategy[object]) -> Corpus:
    """Draw rows with repeated inputs, missing labels, repeated cells and predefined splits."""
    rows = draw(st.integers(6, 40))

    def draw_rows(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=rows, max_size=rows))

    inputs = [draw(st.sampled_from([number, row])) for row, number in enumerate(draw_rows(st.integers(-4, -1)))]
    splits: list[SplitName] = draw_rows(st.sampled_from(["train"] * 8 + ["validation", "test"]))
    return build_corpus(draw_rows(cells), inputs, draw_rows(st.sampled_from([None, "a", "b"])), splits)


def check_partition(corpus: Corpus, splitter: SplitterSpec, seed: int) -> list[list[int]]:
    """Check what every splitter promises; return the training rows of the corpus per split."""
    try:
        parts = list_parts(split_all(corpus, splitter, seed))
    except MtlError as error:
        assume(not re.search("cannot be divided|identical inputs stay together|too few|need as many", str(error)))
        raise
    unused = corpus.get_row_indices("test").tolist() if splitter.replaces_test else []
    assert sorted([*unused, *(row for part in parts for row in part)]) == list(range(len(corpus)))
    assert list_parts(split_all(corpus, splitter, seed)) == parts
    for name, part in (("validation", parts[1]), ("test", [*unused, *parts[2]])):
        assert set(corpus.get_row_indices(name)) <= set(part)  # type: ignore[arg-type]
    divided = [[row for row in part if corpus.splits[row] == "train"] for part in parts]
    inputs = [{corpus.groups[row] for row in part} for part in divided]
    assert sum(map(len, inputs)) == len(set().union(*inputs))  # identical inputs stay together
    return divided


def draw_groups() -> st.SearchStrategy[object]:
    return st.sampled_from([None, "", float("nan"), "ann", " ann", "bob", "7", 7, 7.0, "cy", "dee", "eve"])


def normalise(cell: object) -> str | None:
    if cell is None or cell == "" or cell != cell:
        return None
    return "7" if cell == 7 else str(cell).strip()


GROUP_SPLITTERS: list[SplitterSpec] = [
    *(GroupSplit.model_validate({"column": "column", **fractions}) for fractions in FRACTIONS),
    KFold(column="column", folds=2),
    KFold(column="column", folds=2, hold_out="test", validation=0.3),
]


@pytest.mark.parametrize("splitter", GROUP_SPLITTERS, ids=str)
@settings(max_examples=25, deadline=None)
@given(corpus=draw_corpora(draw_groups()), seed=st.integers(0, 2**63 - 1))
def test_no_group_is_in_two_splits(splitter: SplitterSpec, corpus: Corpus, seed: int) -> None:
    parts = check_partition(corpus, splitter, seed)
    keys = [{normalise(corpus.metadata["column"][row]) for row in part} - {None} for part in parts]
    assert sum(map(len, keys)) == len(set().union(*keys))


@pytest.mark.parametrize("fractions", FRACTIONS, ids=str)
@settings(max_examples=25, deadline=None)
@given(corpus=draw_corpora(st.integers(0, 12)), seed=st.integers(0, 2**63 - 1))
def test_training_is_before_validation_and_validation_before_test(
    fractions: dict[str, float], corpus: Corpus, seed: int
) -> None:
    parts = check_partition(corpus, TimeSplit.model_validate({"column": "column", **fractions}), seed)
    times: list[list[Any]] = [[corpus.metadata["column"][row] for row in part] for part in parts if part]
    for earlier, later in pairwise(times):
        assert max(earlier) < min(later)


def test_groups_that_share_an_input_are_one_group() -> None:
    """The inputs x and y connect ann, bob and cy, so only dee can be held out."""
    corpus = build_corpus(
        ["ann", "bob", "bob", "cy", "dee", "dee", None], ["x", "X", "y", " y ", "z", "w", "v"], ["a"] * 7
    )
    split = split_all(corpus, GroupSplit(column="column", validation=0.3))
    assert {0, 1, 2, 3} <= set(split.train.tolist())
    assert refuse(build_corpus(["ann", "bob"], ["x", "X"]), GroupSplit(column="column")) == (
        "split.column: the 1 group of 'column' cannot be divided into 2 splits "
        "(groups that share an input are one group)"
    )


def test_examples_without_a_group_are_groups_of_their_own() -> None:
    split = split_all(build_corpus([None] * 10), GroupSplit(column="column"))
    assert [len(part) for part in list_parts(split)] == [8, 2, 0]


@pytest.mark.parametrize("seed", range(3))
def test_groups_of_very_different_sizes_are_balanced(seed: int) -> None:
    """Shares of examples and of classes are those configured, though groups have from 1 to 60 examples."""
    generator = np.random.default_rng(seed)
    sizes = np.round(60 / np.arange(1, 61)).astype(int)
    users = np.repeat(np.arange(60), sizes)
    preferences = generator.dirichlet([0.5] * 3, size=60)
    labels = ["abc"[generator.choice(3, p=preferences[user])] for user in users]
    corpus = build_corpus(users.tolist(), labels=labels)
    split = split_all(corpus, GroupSplit(column="column", validation=0.25, test=0.15), seed)
    for part, fraction in zip((split.train, split.validation, split.test), (0.6, 0.25, 0.15), strict=True):
        assert len(part) / len(users) == pytest.approx(fraction, abs=0.015)
        for name in "abc":
            count = sum(labels[row] == name for row in part.tolist())
            assert count / labels.count(name) == pytest.approx(fraction, abs=0.03)


def test_another_seed_gives_other_groups() -> None:
    corpus = build_corpus([row // 3 for row in range(90)])
    assert len({tuple(split_all(corpus, GroupSplit(column="column"), seed).train) for seed in range(4)}) == 4


def test_the_latest_examples_are_held_out_whatever_the_order_of_rows_and_the_seed() -> None:
    order = np.random.default_rng(0).permutation(100).tolist()
    days = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in order]
    corpus = build_corpus(days, labels=["a"] * 100)
    splitter = TimeSplit(column="column", validation=0.2, test=0.1)
    parts = [sorted(days[row] for row in part) for part in list_parts(split_all(corpus, splitter))]
    assert parts == [sorted(days)[:70], sorted(days)[70:90], sorted(days)[90:]]
    assert list_parts(split_all(corpus, splitter, 1)) == list_parts(split_all(corpus, splitter))


def test_examples_of_one_time_are_not_divided() -> None:
    years = [2020] * 45 + [2021] * 32 + [2022] * 23
    split = split_all(build_corpus(years[::-1]), TimeSplit(column="column", validation=0.2))
    assert split.validation.tolist() == list(range(23))


def test_of_the_cuts_near_the_fraction_the_one_with_the_most_even_classes_is_chosen() -> None:
    """The last rare examples are rows 796 to 799: with them, the held-out part has the share of all examples."""
    labels: list[Label | None] = ["a"] * 1000
    for row in [*range(0, 800, 50), *range(796, 800)]:
        labels[row] = "rare"
    corpus = build_corpus(list(range(1000)), labels=labels)
    split = split_all(corpus, TimeSplit(column="column", validation=0.2))
    assert split.validation[0] == 796


def test_identical_inputs_are_not_divided_by_time() -> None:
    """The input of rows 70 and 85 keeps rows 70 to 85 together, so the held-out part starts at 86."""
    inputs: list[object] = list(range(100))
    inputs[85] = inputs[70]
    split = split_all(build_corpus(list(range(100)), inputs), TimeSplit(column="column", validation=0.2))
    assert split.validation.tolist() == list(range(86, 100))
    inputs[99] = inputs[0]
    assert refuse(build_corpus(list(range(100)), inputs), TimeSplit(column="column")) == (
        "split.column: no time of 'column' divides the examples, since identical inputs stay together, such as "
        "a.csv:2 (0) and a.csv:101 (99); remove repeated inputs"
    )


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (3, 3.5),
        ("9", "10"),
        ("-1e3", 2),
        ("2024-01-31", "2024-02-01"),
        ("2024-01-31", "2024-01-31T00:00:01"),
        ("2024-01-31 23:59", " 2024-02-01 "),
        ("2024-01-31T12:00:00+02:00", "2024-01-31T10:30:00Z"),
        (date(2024, 1, 31), datetime(2024, 1, 31, 1)),
        (datetime(2024, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2024-01-31T10:30:00+00:00"),
        (np.datetime64("2024-01-31"), np.datetime64("2024-01-31T00:00:00.000001")),
        (np.datetime64("2024-01-31", "ns"), "2024-02-01"),
        (np.float32(1.5), np.int64(2)),
        ("1969-12-31", "1970-01-01"),
    ],
)
def test_numbers_and_dates_are_times(earlier: object, later: object) -> None:
    first, second = parse_times(ExampleMetadata({"d": [earlier, later]}, ["1", "2"]), "d")
    assert first < second


@pytest.mark.parametrize("cell", ["31/01/2024", "soon", "2024-02-30", True, [1], "1_0", np.inf, "nan"], ids=repr)
def test_a_cell_that_is_no_time_is_refused_with_its_location(cell: object) -> None:
    assert refuse(build_corpus([1, 2, cell, 4]), TimeSplit(column="column")) == (
        f"a.csv:4: column 'column': expected a number or an ISO date (2024-01-31, 2024-01-31T12:30:00), found {cell!r}"
    )


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2024-01-01", 5], "expected an ISO date without a time zone as in a.csv:2, found 5"),
        ([5, "2024-01-01"], "expected a number as in a.csv:2, found '2024-01-01'"),
        (
            ["2024-01-01T10:00Z", "2024-01-01"],
            "expected an ISO date with a time zone as in a.csv:2, found '2024-01-01'",
        ),
    ],
)
def test_times_of_two_forms_are_refused(cells: list[object], message: str) -> None:
    assert refuse(build_corpus(cells), TimeSplit(column="column")) == f"a.csv:3: column 'column': {message}"


@pytest.mark.parametrize("cell", [None, float("nan"), " ", np.datetime64("NaT")], ids=repr)
def test_a_missing_time_is_refused_with_its_location(cell: object) -> None:
    assert (
        refuse(build_corpus([1, cell]), TimeSplit(column="column")) == "a.csv:3: column 'column': the time is missing"
    )


def test_too_few_times_are_refused() -> None:
    assert refuse(build_corpus([2024] * 9), TimeSplit(column="column")) == (
        "split.column: the 1 time of 'column' cannot be divided: more splits than times"
    )
    assert "the 2 times of" in refuse(build_corpus([1, 2] * 9), TimeSplit(column="column", test=0.2))


@pytest.mark.parametrize("splitter", [GroupSplit(column="colum"), TimeSplit(column="colum")], ids=lambda s: s.type)
def test_an_unknown_column_is_refused(splitter: SplitterSpec) -> None:
    message = refuse(build_corpus([1, 2, 3]), splitter)
    assert message.startswith("split.column: no column 'colum' in the metadata; did you mean 'column'?")
    assert "`data.metadata`" in message


def test_a_group_that_is_a_list_is_refused_with_its_location() -> None:
    assert refuse(build_corpus(["ann", ["bob"]]), GroupSplit(column="column")) == (
        "a.csv:3: column 'column': expected a text or a number, found ['bob']"
    )


@pytest.mark.parametrize("splitter", [GroupSplit(column="column"), TimeSplit(column="column")], ids=lambda s: s.type)
def test_predefined_validation_data_keeps_all_training_data(splitter: SplitterSpec) -> None:
    splits: list[SplitName] = ["train" if row < 8 else "validation" for row in range(10)]
    split = split_all(build_corpus(list(range(10)), splits=splits), splitter)
    assert list_parts(split) == [list(range(8)), [8, 9], []]


def test_folds_do_not_divide_groups_and_cover_everything() -> None:
    corpus = build_corpus([row // 4 for row in range(120)])
    splits = [split_all(corpus, KFold(column="column", folds=5, fold=fold)) for fold in range(5)]
    assert sorted(row for split in splits for row in split.validation.tolist()) == list(range(120))
    assert {len(split.validation) for split in splits} == {24}
    for split in splits:
        assert not {row // 4 for row in split.train.tolist()} & {row // 4 for row in split.validation.tolist()}
    assert refuse(build_corpus([1, 2, 2, 2, 2, 2]), KFold(column="column")) == (
        "split.folds: 5 folds need as many groups of 'column', found 2"
    )


def test_cross_validation_keeps_groups_together_and_refuses_times() -> None:
    """`--folds` replaces the splitter of an experiment by folds."""
    overrides = build_fold_overrides(GroupSplit(column="a user"), 3, 1, "test")
    assert overrides == ["split={type: k-fold, folds: 3, fold: 1, hold_out: test, column: a user}"]
    assert build_fold_overrides(KFold(column="a"), 3, 1) == ["split={type: k-fold, folds: 3, fold: 1, column: a}"]
    assert build_fold_overrides(TimeSplit(column="column"), None, None) == []
    with pytest.raises(MtlError, match="folds would train on examples that are later than the held-out ones"):
        build_fold_overrides(TimeSplit(column="column"), 3, 1)


class ReplacingGroupSplit(GroupSplit):
    """Its test data replaces that of the data."""

    @property
    def replaces_test(self) -> bool:
        return True


def test_predefined_test_data_is_added_to_or_replaced() -> None:
    splits: list[SplitName] = ["train" if row < 8 else "test" for row in range(10)]
    corpus = build_corpus(list(range(10)), splits=splits)
    added = split_all(corpus, GroupSplit(column="column", validation=0.0, test=0.25))
    assert len(added.test) == 4
    assert added.test[-2:].tolist() == [8, 9]
    replaced = split_all(corpus, ReplacingGroupSplit(column="column", validation=0.0, test=0.25))
    assert replaced.test.tolist() == added.test[:2].tolist()


def test_predefined_splits_that_contradict_the_splitter_are_reported() -> None:
    splits: list[SplitName] = ["train", "train", "train", "train", "train", "train", "validation", "test"]
    groups = build_corpus(["ann", "bob", "bob", None, "cy", "dee", "bob", "cy"], splits=splits)
    splitter: SplitterSpec = GroupSplit(column="column")
    assert describe_metadata_leaks(groups, split_all(groups, splitter), splitter) == [
        "validation: 2 training examples are of a 'column' that also has validation examples, so scores are optimistic "
        "(such as '1')",
        "test: 1 training example is of a 'column' that also has test examples, so scores are optimistic (such as '4')",
    ]
    times = build_corpus([1, 2, 3, 4, 5, 6, 5, 5], splits=splits)
    splitter = TimeSplit(column="column")
    assert describe_metadata_leaks(times, split_all(times, splitter), splitter) == [
        "validation: 2 training examples are not older by 'column' than all validation examples, so scores are "
        "optimistic (such as '4')",
        "test: 2 training examples are not older by 'column' than all test examples, so scores are optimistic "
        "(such as '4')",
        "test: 1 validation example is not older by 'column' than all test examples, so scores are optimistic "
        "(such as '6')",
    ]


@pytest.mark.parametrize("splitter", [GroupSplit(column="column"), TimeSplit(column="column")], ids=lambda s: s.type)
def test_the_splits_of_the_splitter_itself_are_not_reported(splitter: SplitterSpec) -> None:
    corpus = build_corpus([row // 2 for row in range(40)])
    assert describe_metadata_leaks(corpus, split_all(corpus, splitter), splitter) == []


@pytest.mark.parametrize(
    ("splitter", "kept"), [("group, column: user", "de"), ("time, column: year", "c")], ids=["group", "time"]
)
def test_examples_of_auxiliary_tasks_do_not_cross_the_split(tmp_path: Path, splitter: str, kept: str) -> None:
    """Examples without a label of a main task are trained on by auxiliary tasks only, under the same rule."""
    rows = [f"text {row},x{row % 2},u{row // 5},{2000 + row}" for row in range(20)]
    # Validation data is u3, 2015 and later, with either splitter and a fourth of the data.
    rows += ["c,,u3,2001", "d,,u9,2016", "e,,,2030"]
    (tmp_path / "a.csv").write_text("text,topic,user,year\n" + "\n".join(rows) + "\n")
    (tmp_path / "a.yaml").write_text(
        f"data: {{type: table, train: a.csv, text: text, labels: [topic], metadata: [user, year]}}\n"
        f"split: {{type: {splitter}, validation: 0.25}}\n"
        "encoder: embedding\nbackbone: mlp\ntasks: [{each: '*', head: linear}]\n"
        "auxiliary: [{type: bag-of-words}]\n"
    )
    data = prepare(load_experiment(tmp_path / "a.yaml").config)
    texts = [data.corpus.inputs[row] for row in data.split.auxiliary_only.tolist()]
    validation = {data.corpus.metadata["user"][row] for row in data.split.validation.tolist()}
    expected = [t for t, user in (("c", "u3"), ("d", "u9"), ("e", None)) if user not in validation]
    assert texts == (expected if "group" in splitter else list(kept))
    assert not [warning for warning in data.warnings if "optimistic" in warning]
