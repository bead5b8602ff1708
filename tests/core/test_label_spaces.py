"""Label spaces: any label in the data is either encoded or rejected with its location."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask

from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError

CLASSES = ["a", "b", "c"]
SPACES: dict[str, LabelSpace] = {
    "classes": ClassSpace(CLASSES, ["absent"]),
    "lists": MultiLabelSpace(CLASSES),
    "number": NumberSpace([3.0], [2.0], vector=False),
    "numbers": NumberSpace([3.0, -1.0], [2.0, 0.5], vector=True),
}

scalars = st.one_of(
    st.sampled_from([*CLASSES, "absent", "", "1", "nan", "-inf", "1_0", "0x1", " 3 "]),
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1e39, -1e39, 1e308]),
    st.none(),
)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3))


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(SPACES)), labels=st.lists(anything, min_size=1, max_size=4))
def test_any_label_is_encoded_or_refused_with_its_location(name: str, labels: list[Any]) -> None:
    space = SPACES[name]
    locations = [f"<file:{row}>" for row in range(len(labels))]
    try:
        table = space.encode(labels, locations)
    except MtlError as error:
        reported_rows = re.findall(r"<file:(\d+)>", str(error))
        assert len(reported_rows) == 1
        with pytest.raises(MtlError):  # without the other labels, it is rejected, too
            space.encode([labels[int(reported_rows[0])]], ["alone"])
        return
    assert len(table) == len(labels)
    observed = space.compute_label_mask(torch.from_numpy(table).unsqueeze(1))[:, 0].tolist()
    for row, label in enumerate(labels):
        assert space.encode([label], ["alone"]).tobytes() == table[row : row + 1].tobytes()
        assert not (label is None and observed[row])
    if table.dtype == np.float32:
        assert not np.isinf(table).any()


@settings(max_examples=100, deadline=None)
@given(labels=st.lists(st.none() | st.lists(st.sampled_from([*CLASSES, None]), max_size=5), min_size=1, max_size=6))
def test_list_is_encoded_as_a_set_without_missing_members(labels: list[Any]) -> None:
    space = MultiLabelSpace(CLASSES)
    table = space.encode(labels, [""] * len(labels))
    assert table.dtype == np.int8
    observed = space.compute_label_mask(torch.from_numpy(table).unsqueeze(1))[:, 0].tolist()
    for row, label in enumerate(labels):
        assert observed[row] == (label is not None)
        assert table[row].tolist() == ([-1] * 3 if label is None else [int(name in label) for name in CLASSES])


small = st.floats(-1e3, 1e3).map(lambda number: round(number, 3))
numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 3)) | st.integers(-(10**6), 10**6) | small.map(repr)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), width=st.integers(1, 3), standardise=st.booleans())
def test_numbers_round_trip_in_their_units(data: st.DataObject, width: int, standardise: bool) -> None:
    rows = st.lists(st.none() | numbers, min_size=width, max_size=width)
    labels = data.draw(st.lists(st.none() | rows, min_size=1, max_size=8))
    known = [label for label in labels if label is not None]
    if not known or any(all(row[index] is None for row in known) for index in range(width)):
        with pytest.raises(MtlError, match="scale"):
            NumberSpace.fit(known, True, standardise)
        return
    space = NumberSpace.fit(known, True, standardise)
    restored_space = NumberSpace.from_state(json.loads(json.dumps(space.state())))
    table = restored_space.encode(labels, [""] * len(labels))
    observed = restored_space.compute_label_mask(torch.from_numpy(table).unsqueeze(1))[:, 0].tolist()
    for row, label in enumerate(labels):
        members = label or [None] * width
        assert observed[row] == any(member is not None for member in members)
        for index, member in enumerate(members):
            if member is None:
                assert math.isnan(table[row, index])
            else:
                decoded = float(table[row, index]) * restored_space.scale[index] + restored_space.mean[index]
                size = abs(restored_space.mean[index]) + restored_space.scale[index] + abs(float(member))
                assert decoded == pytest.approx(float(member), abs=1e-6 * size)
    if standardise:
        for index in range(width):
            present = table[~np.isnan(table[:, index]), index].astype(np.float64)
            assert abs(present.mean()) < 1e-3
            assert present.std() == pytest.approx(1, abs=1e-2) or len({*map(float, _column(known, index))}) == 1
    column = np.array([float(value) for value in _column(known, 0)])
    assert restored_space.training_mean[0] == pytest.approx(column.mean(), abs=1e-6)


def _column(rows: Sequence[Any], index: int) -> list[Any]:
    return [row[index] for row in rows if row[index] is not None]


def test_invalid_training_numbers_are_reported_with_their_location() -> None:
    locations = ["a.csv:2", "a.csv:5", "a.csv:9"]

    def error_message(*labels: Any, vector: bool = False) -> str:
        with pytest.raises(MtlError) as excinfo:
            NumberSpace.fit(labels, vector, True, locations)
        return str(excinfo.value)

    assert error_message(1, "cheap", 2) == "a.csv:5: the label 'cheap' is not a number"
    assert error_message(1, 2, ("3", ("x",))) == "a.csv:9: the label \"('x',)\" is not a number"
    assert error_message(1, 10**400, 2).startswith("a.csv:5: the label '1000")
    assert error_message(1, 10**400, 2).endswith("is too large a number")
    assert error_message([1, 2], [1, 2], [1], vector=True) == "a.csv:9: found 1 numbers, expected 2 as in other labels"
    assert "labels are lists of 2 numbers, expected one number (`outputs: 2` allows it)" in error_message([1, 2])
    assert error_message() == "there is no training label to compute the scale of the numbers from"
    assert error_message([1, None], [2, None], vector=True) == "no training label has this number, so it has no scale"


def test_number_too_large_after_scaling_is_refused() -> None:
    space = NumberSpace.fit([1.0, 1.0 + 1e-9], vector=False, standardise=True)
    with pytest.raises(MtlError, match=r"b\.csv:7: the label '1e\+35' is too large after scaling"):
        space.encode([1.0, 1e35], ["b.csv:3", "b.csv:7"])


def test_nearly_constant_numbers_are_only_centred() -> None:
    for labels in ([0.0, 5e-324], [1e-200, 2e-200], [7.1] * 3):
        space = NumberSpace.fit(labels, vector=False, standardise=True)
        assert space.scale.tolist() == [1.0]
        assert np.abs(space.encode(labels, [""] * len(labels))).max() < 1e-6


def test_empty_table_of_numbers_has_a_float_dtype() -> None:
    """A table of missing labels must not become labels through its dtype."""
    task = OneTask("token-regression", [[1.0, 2.0]])
    assert task.task.space.encode([], ()).dtype == np.float32
    assert not task.compute_mask([[None, None]]).any()


def test_unknown_classes_are_reported_by_name() -> None:
    with pytest.raises(MtlError, match=r"x:1: the label 'd' is not one of the task's classes \(classes: a, b, c\)"):
        SPACES["classes"].encode(["d"], ["x:1"])
    with pytest.raises(MtlError, match=r"x:1: the label 'absnt' is not one of .*; did you mean 'absent'"):
        SPACES["classes"].encode(["absnt"], ["x:1"])
    with pytest.raises(MtlError, match=r"x:1: the label '\['a'\]' is a list, expected one of"):
        SPACES["classes"].encode([["a"]], ["x:1"])


def test_task_kind_reports_locations_of_training_labels() -> None:
    kind = OneTask("token-regression", [[1.0]]).task.config.kind
    label_statistics = LabelStatistics([], [(1.0, None), (2.0, "two")], locations=["x:1", "x:2"])
    with pytest.raises(MtlError, match="x:2: the label 'two' is not a number"):
        kind.build_space(label_statistics)
