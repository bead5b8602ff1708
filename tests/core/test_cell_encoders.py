"""The encoders of columns: numbers, categories and dates, and their missing cells."""

import json
import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl_core.builtins.encoders.category import Category, MultiCategory
from mtl_core.builtins.encoders.date import Date
from mtl_core.builtins.encoders.number import Number
from mtl_core.data.corpus import Corpus
from mtl_core.data.encoder import Encoder
from mtl_core.data.parsing import encode_inputs, parse_inputs
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import EncoderSpec


def fit(spec: EncoderSpec, cells: list[Any]) -> Encoder[Any, Any]:
    encoder = spec.build()
    encoder.fit(iter(encoder.parse(cells)))
    return encoder


def compute_values(encoder: Encoder[Any, Any], cells: list[Any], layer: torch.nn.Module | None = None) -> torch.Tensor:
    layer = layer or encoder.input_layer().eval()
    values: torch.Tensor = layer(encoder.collate(encoder.encode(encoder.parse(cells)))).values
    return values.detach()


def test_numbers_are_standardised_with_a_feature_for_missing_ones() -> None:
    encoder = fit(Number(), [1, 3, None, "5", np.int64(7)])
    assert encoder.state() == {"mean": 4.0, "scale": pytest.approx(math.sqrt(5)), "has_missing": True}
    layer = encoder.input_layer()
    layer.get_parameter("missing").data.fill_(9.0)
    values = compute_values(encoder, [4, 4 + math.sqrt(5), None, float("nan")], layer)
    assert torch.allclose(values, torch.tensor([[0.0, 0], [1, 0], [9, 1], [9, 1]]))
    assert compute_values(fit(Number(standardise=False), [4, None]), [4]).tolist() == [[4, 0]]
    constant = compute_values(fit(Number(), [0.1, 0.1, 0.1, None]), [0.1, 1.1])
    assert constant.tolist() == [[0, 0], [1, 0]], "a constant column"


def test_numbers_of_a_complete_column_have_one_feature() -> None:
    encoder = fit(Number(), [1, 3])
    assert compute_values(encoder, [1, 3, None]).tolist() == [[-1], [1], [0]], "a missing number is the mean"
    assert not list(encoder.input_layer().parameters())
    dates = fit(Date(features=["weekday"]), ["2024-04-01"])
    assert compute_values(dates, ["2024-04-01", None]).tolist() == [[0, 1], [0, 0]]


def test_large_numbers_keep_their_differences() -> None:
    """In float32, 1.7e9 and 1.7e9 + 30 are equal."""
    values = compute_values(fit(Number(), [1.7e9, 1.7e9 + 60]), [1.7e9, 1.7e9 + 30])
    assert torch.allclose(values[:, 0], torch.tensor([-1.0, 0.0]), atol=1e-4)
    far = compute_values(fit(Number(), [1, 2]), [1e38])
    assert torch.isfinite(far).all()


def test_categories_have_rows_and_others_share_one() -> None:
    encoder = fit(Category(dimensions=2), ["thai", "greek", "thai", None, 7, 7.0, True])
    assert encoder.state() == {"categories": ["7", "thai", "greek", "true"]}
    layer = encoder.input_layer()
    table = layer.get_parameter("table").data
    assert not table[:3].any()
    table.copy_(torch.arange(14.0).view(7, 2))
    values = compute_values(encoder, ["thai", "7", None, "never seen"], layer)
    assert values[:, 0].tolist() == [8, 6, 2, 4]


def test_rare_and_surplus_categories() -> None:
    cells = ["a", "a", "b", "b", "c"]
    assert fit(Category(min_count=2), cells).state() == {"categories": ["a", "b"]}
    assert fit(Category(max_categories=1), cells).state() == {"categories": ["a"]}
    encoder = fit(Category(oov="error"), ["thai", "greek"])
    with pytest.raises(MtlError, match="the category 'tha' does not occur in the training data; did you mean 'thai'"):
        encoder.encode(encoder.parse(["tha"]))
    encoder.encode(encoder.parse([None]))


def test_dropped_categories_train_the_vector_of_unknown_ones() -> None:
    encoder = fit(Category(dimensions=2, category_dropout=0.999999), ["thai"])
    layer = encoder.input_layer().train()
    layer(encoder.collate(encoder.encode(encoder.parse(["thai", None])))).values.sum().backward()
    gradient = layer.get_parameter("table").grad
    assert gradient is not None
    assert gradient[:, 0].tolist() == [0, 1, 1, 0]


def test_several_categories_are_averaged() -> None:
    encoder = fit(MultiCategory(dimensions=1), [["a", "b"], ["a"], [], None])
    layer = encoder.input_layer()
    layer.get_parameter("table").data.copy_(torch.tensor([[0.0], [5], [7], [1], [3]]))
    values = compute_values(encoder, [["a", "b"], ["b"], [], None, ["a", "never seen"]], layer)
    assert values.flatten().tolist() == [2, 3, 0, 5, 4]


def test_dates_are_positions_in_time_year_month_week_and_day() -> None:
    encoder = fit(Date(), ["2024-01-01", "2026-01-01", None])
    layer = encoder.input_layer()
    layer.get_parameter("missing").data.fill_(9.0)
    values = compute_values(encoder, ["2024-04-01T06:00", None], layer)
    time, *cycles, missing = values[0].tolist()
    assert -1 < time < 0
    monday = [0, 1]
    assert np.allclose(cycles, [1, 0, 0, 1, *monday, 1, 0], atol=1e-6)
    assert missing == 0
    assert values[1].tolist() == [9] * 9 + [1]


def test_dates_of_python_numpy_and_pandas() -> None:
    encoder = fit(Date(), ["2024-04-01", "2026-01-01"])
    expected = compute_values(encoder, ["2024-04-01"])
    dates = [date(2024, 4, 1), datetime(2024, 4, 1), np.datetime64("2024-04-01"), pd.Timestamp("2024-04-01")]
    for value in dates:
        assert torch.equal(compute_values(encoder, [value]), expected), value
    missing = compute_values(encoder, [None])
    for missing_value in (pd.NaT, np.datetime64("NaT"), pd.NA, float("nan"), " "):
        assert torch.equal(compute_values(encoder, [missing_value]), missing), missing_value


@pytest.mark.parametrize("spec", [Number(), Category(), MultiCategory(), Date()], ids=lambda spec: str(spec.type))
def test_column_without_cells_is_refused(spec: EncoderSpec) -> None:
    with pytest.raises(MtlError, match="all cells of training examples are missing"):
        fit(spec, [None, None])


def test_restored_encoders_are_equal() -> None:
    specs: list[tuple[EncoderSpec, list[Any]]] = [
        (Number(), [1, 4]),
        (Category(), ["a"]),
        (MultiCategory(), [["a"]]),
        (Date(), ["2024-04-01"]),
    ]
    for spec, cells in specs:
        encoder, other = fit(spec, cells), spec.build()
        other.restore(json.loads(json.dumps(encoder.state())))
        assert np.array_equal(other.encode(other.parse(cells)), encoder.encode(encoder.parse(cells)))


class RowsOnDisk(StoredInputs):
    def __init__(self, cells: list[Any]) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    def get_row(self, row: int) -> object:
        return self.cells[row]

    @property
    def sizes(self) -> Any:
        return np.ones(len(self), dtype=np.int32)


@pytest.mark.parametrize("on_disk", [False, True])
def test_messages_contain_the_row(on_disk: bool) -> None:
    """Inputs are parsed and encoded together, but the message names the first one that is wrong."""

    def build_corpus(cells: list[Any]) -> Corpus:
        inputs = RowsOnDisk(cells) if on_disk else cells
        names = [f"row {row}" for row in range(len(cells))]
        return Corpus(ids=names, inputs=inputs, labels={}, splits=["train"] * len(cells), locations=names)

    with pytest.raises(MtlError, match=r"^row 1: expected a number, found 'x'$"):
        list(parse_inputs(Number().build(), build_corpus([1, "x", 2, "y"])))
    corpus = build_corpus(["a", "b", "c"])
    encoder = Category(oov="error").build()
    parsed = parse_inputs(encoder, corpus)
    encoder.fit(parsed[:2])
    with pytest.raises(MtlError, match=r"^row 2: the category 'c' does not occur"):
        list(encode_inputs(encoder, parsed, corpus.locations))
