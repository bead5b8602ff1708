"""Operations on compact label columns equal those on lists of the same labels, messages included."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_core.config.tasks import NamedTask
from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.column_operations import (
    concatenate_columns,
    convert_to_categorical,
    count_members,
    find_labelled,
    hide_rows,
    list_distinct,
    select_rows,
)
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.corpus import Corpus
from mtl_core.data.fitted_task import fit_task
from mtl_core.data.label_statistics import compute_label_statistics
from mtl_core.data.number_space import NumberSpace
from mtl_core.data.splitting import build_indicator_columns
from mtl_core.data.task_labels import describe_missing_labels
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

REGISTRY = Registry(load_plugins())
NUMBERS = [0.0, -0.0, 1.0, 2.5, 1e300, -3.25]
SCALARS = [1, 0, 1.0, 0.0, -0.0, "1", "1.0", "0", "a", "b", "true", "x y", 2**60, 1e39, "nan", "1_0"]
LISTS: list[Any] = [("a", "b"), ("a", None), (), (1.5, 2.5), (None,)]
Labels = list[Any]


def draw_code_columns(values: Sequence[Any]) -> st.SearchStrategy[tuple[Labels, CategoricalColumn[Any]]]:
    """Draw a list and the same labels as codes; values can occur twice, or not at all."""
    value_lists = st.lists(st.sampled_from([None, *values]), min_size=1, max_size=8)

    def build(sample: tuple[Labels, list[int]]) -> tuple[Labels, CategoricalColumn[Any]]:
        distinct, indices = sample
        codes = np.array([index % len(distinct) for index in indices], dtype=np.uint8)
        return [distinct[code] for code in codes], CategoricalColumn(distinct, codes)

    return st.tuples(value_lists, st.lists(st.integers(0, 7), max_size=40)).map(build)


def draw_number_columns() -> st.SearchStrategy[tuple[Labels, NumericColumn]]:
    """Draw a list and the same numbers as an array."""
    floats = st.lists(st.sampled_from([None, *NUMBERS]), max_size=40).map(
        lambda numbers: (numbers, NumericColumn(np.array([np.nan if n is None else n for n in numbers], float)))
    )
    integers = st.lists(st.sampled_from([None, 0, 1, -7, 2**52]), max_size=40).map(
        lambda numbers: (numbers, NumericColumn(np.array([np.nan if n is None else n for n in numbers], float), True))
    )
    return floats | integers


COLUMNS = draw_code_columns(SCALARS) | draw_code_columns([*SCALARS, *LISTS]) | draw_number_columns()


def catch(function: Callable[[], Any]) -> Any:
    """Return the result, or the message of an `MtlError`; arrays as lists with their type."""
    try:
        result = function()
    except MtlError as error:
        return str(error)
    if isinstance(result, np.ndarray):
        return result.dtype, repr(result.tolist())
    return result


def list_labels(column: Sequence[Any]) -> list[str]:
    return [repr(label) for label in column]


def build_task(kind: Any, mask: str | dict[str, Any] = "observed") -> NamedTask:
    block = {"name": "t", "kind": kind, "head": "linear", "mask": mask}
    return NamedTask.model_validate(block, context={"registry": REGISTRY})


class _NoWords:
    vocabulary: Sequence[str] = ()


@settings(max_examples=150, deadline=None)
@given(pair=COLUMNS, excluded=st.sampled_from([frozenset(), frozenset(["a", "1", "0.0"])]), seed=st.integers(0, 99))
def test_operations(pair: tuple[Labels, Any], excluded: frozenset[str], seed: int) -> None:
    labels, column = pair
    assert list_labels(column) == list_labels(labels)
    assert column == labels
    assert column != [*labels, 1]
    rows = np.random.default_rng(seed).integers(0, max(len(labels), 1), 10 if labels else 0)
    assert list_labels(select_rows(column, rows)) == list_labels(select_rows(labels, rows))
    assert type(select_rows(column, rows)) is type(column)
    assert find_labelled(column, excluded).tolist() == find_labelled(labels, excluded).tolist()
    visible = np.random.default_rng(seed).random(len(labels)) < 0.5
    assert list_labels(hide_rows(column, visible)) == list_labels(hide_rows(labels, visible))
    assert list(count_members(column).items()) == list(count_members(labels).items())
    assert set(map(repr, list_distinct(column))) == set(map(repr, labels))
    categorical = convert_to_categorical(column)
    assert categorical is not None
    assert list_labels(categorical) == list_labels(labels)


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(COLUMNS, min_size=1, max_size=3))
def test_concatenation(pairs: list[tuple[Labels, Any]]) -> None:
    joined = concatenate_columns([column for _, column in pairs])
    assert list_labels(joined) == list_labels(concatenate_columns([labels for labels, _ in pairs]))
    if all(isinstance(column, CategoricalColumn) for _, column in pairs):
        assert isinstance(joined, CategoricalColumn)


@settings(max_examples=150, deadline=None)
@given(pair=COLUMNS)
def test_targets(pair: tuple[Labels, Any]) -> None:
    labels, column = pair
    locations = [f"row {row}" for row in range(len(labels))]
    for classes in (["0", "1"], ["1.0", "0.0", "-0.0"], list(map(str, SCALARS))):
        space = ClassSpace(classes, ["a"])
        assert catch(partial(space.encode, column, locations)) == catch(partial(space.encode, labels, locations))
    several = MultiLabelSpace(["a", "b", "1"])
    assert catch(partial(several.encode, column, locations)) == catch(partial(several.encode, labels, locations))
    for vector in (False, True):
        numbers = NumberSpace([1.0], [2.0], vector)
        assert catch(partial(numbers.encode, column, locations)) == catch(partial(numbers.encode, labels, locations))


@pytest.mark.parametrize(
    "kind",
    ["binary", "classification", "ordinal", "multi-label", "regression", {"type": "regression", "outputs": 2}],
    ids=str,
)
@settings(max_examples=80, deadline=None)
@given(pair=COLUMNS, excluded=st.sampled_from([[], ["a", "1"]]))
def test_fitted_tasks(kind: Any, pair: tuple[Labels, Any], excluded: list[str]) -> None:
    labels, column = pair
    task = build_task(kind, {"type": "exclude-labels", "labels": excluded} if excluded else "observed")
    known, train = np.arange(len(labels)), np.arange(len(labels))[::2]
    locations = [f"row {row}" for row in range(len(labels))]

    def fit(values: Sequence[Any]) -> tuple[Any, Any]:
        encoder: Any = _NoWords()
        statistics = compute_label_statistics(task, values, known, train, locations, encoder, ())
        fitted = fit_task(task, statistics)
        return fitted.space.state(), list(fitted.class_counts.items())

    assert catch(lambda: fit(column)) == catch(lambda: fit(labels))
    assert describe_missing_labels(task, column, train) == describe_missing_labels(task, labels, train)
    weights = [float(row % 3) for row in range(len(labels))]
    message = describe_missing_labels(task, labels, train, weights)
    assert describe_missing_labels(task, column, train, weights) == message


@settings(max_examples=100, deadline=None)
@given(pair=COLUMNS)
def test_stratification_indicators(pair: tuple[Labels, Any]) -> None:
    labels, column = pair
    many = [*labels, *(float(number) for number in range(30))]
    many_numbers = concatenate_columns([column, NumericColumn(np.arange(30.0), column_is_integer(column))])
    if list_labels(many_numbers) != list_labels(many):  # the column holds integers
        many = [*labels, *range(30)]
    for values, compact in ((labels, column), (many, many_numbers)):
        expected: tuple[NDArray[np.uint8], Any] = build_indicator_columns({"t": values}, len(values))
        table, names = build_indicator_columns({"t": compact}, len(values))
        assert names == expected[1]
        np.testing.assert_array_equal(table, expected[0])


def column_is_integer(column: Any) -> bool:
    return bool(getattr(column, "is_integer", False))


def test_a_corpus_checks_only_values_that_occur() -> None:
    def build(values: list[Any]) -> Corpus:
        codes = np.array([0, 1, 0], dtype=np.uint8)
        return Corpus(list("abc"), ["x", "y", "z"], {"t": CategoricalColumn(values, codes)}, ["train"] * 3)

    assert build(["yes", None, ""]).labels["t"] == ["yes", None, "yes"]
    with pytest.raises(MtlError, match=r"example b: the label 't' is an empty text"):
        build(["yes", ""])
