"""The encoder of several input columns: cells, missing cells, tokens, fusions, and the inputs of a corpus."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from mtl_core.builtins.fusions.broadcast import Broadcast
from mtl_core.data.corpus import Corpus
from mtl_core.data.encoder import Encoder
from mtl_core.data.input_format import convert_to_json, format_input
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

REGISTRY = Registry(load_plugins())
ROWS: list[dict[str, Any]] = [
    {"review": "Good soup", "size": [1.0, 2.0]},
    {"review": None, "size": [3.0, 6.0]},
    {"review": "Bad bread or so", "size": None},
]


def build_encoder(**keys: Any) -> Encoder[Any, Any]:
    block = {"type": "columns", "columns": {"review": {"type": "embedding", "dimensions": 3}, "size": "array"}, **keys}
    spec: Any = REGISTRY.find("encoders", "columns").model_validate(block, context={"registry": REGISTRY})
    encoder: Encoder[Any, Any] = spec.build()
    return encoder


def fit(encoder: Encoder[Any, Any], rows: list[dict[str, Any]]) -> list[Any]:
    parsed = encoder.parse(rows)
    encoder.fit(iter(parsed))
    return list(encoder.encode(parsed))


def compute_features(encoder: Encoder[Any, Any], layer: torch.nn.Module, items: list[Any]) -> Features:
    features: Features = layer(encoder.collate(items).to("cpu"))
    return features


def test_static_features_are_appended_to_every_token() -> None:
    encoder = build_encoder()
    items = fit(encoder, ROWS)
    layer = encoder.input_layer()
    assert layer.output == FeatureShape(5, sequence=True)
    features = compute_features(encoder, layer, items)
    assert features.mask is not None
    assert features.mask.sum(dim=1).tolist() == [2, 1, 4]
    # The sizes 1, 2 and 3, 6 have means 2 and 4: standardised, they are -1 and 1.
    assert features.values[0, :2, 3:].tolist() == [[-1, -1], [-1, -1]]
    assert features.values[1, 0, 3:].tolist() == [1, 1]


@pytest.mark.parametrize(("fusion", "width"), [("concatenate", 5), ({"type": "gated", "hidden_dim": 7}, 7)])
def test_other_fusions_return_one_vector_per_row(fusion: Any, width: int) -> None:
    encoder = build_encoder(fusion=fusion)
    items = fit(encoder, ROWS)
    layer = encoder.input_layer()
    assert layer.output == FeatureShape(width)
    assert compute_features(encoder, layer, items).values.shape == (3, width)


def test_missing_cells_have_a_learned_value() -> None:
    """The value of a missing cell is a parameter, and only rows with missing cells train it."""
    encoder = build_encoder(fusion="concatenate")
    items = fit(encoder, ROWS)
    layer = encoder.input_layer()
    parameters = {name: p for name, p in layer.named_parameters() if name.endswith(".missing")}
    assert list(parameters) == ["layers.column-review.missing", "layers.column-size.missing"]
    with torch.no_grad():
        parameters["layers.column-size.missing"].copy_(torch.tensor([7.0, 8.0]))
        parameters["layers.column-review.missing"].fill_(9.0)
    values = compute_features(encoder, layer, items).values
    assert values[2, 3:].tolist() == [7, 8]
    assert values[1, :3].tolist() == [9, 9, 9]
    values[0].sum().backward()  # type: ignore[no-untyped-call]
    assert not any(p.grad.any() for p in parameters.values() if p.grad is not None)
    compute_features(encoder, layer, items).values[2].sum().backward()  # type: ignore[no-untyped-call]
    gradient = parameters["layers.column-size.missing"].grad
    assert gradient is not None
    assert gradient.tolist() == [1, 1]


def test_token_methods_are_those_of_the_text_column() -> None:
    encoder = build_encoder()
    items = fit(encoder, ROWS)
    parsed = encoder.parse(ROWS)
    assert encoder.words(parsed[0]) == ["Good", "soup"]
    assert [encoder.tokens(row) for row in parsed] == [["Good", "soup"], ["<missing>"], ["Bad", "bread", "or", "so"]]
    assert encoder.token_to_word(parsed[1]) == []
    assert encoder.subword_to_token(parsed[0]) is None
    assert [encoder.length(item) for item in items] == [2, 1, 4]
    batch = encoder.collate(items)
    ids = encoder.token_ids(batch)
    assert [encoder.vocabulary[index] for index in ids[0, :2].tolist()] == ["good", "soup"]
    assert ids[1].tolist() == [-1] * 4
    masked = encoder.mask_tokens(batch, torch.ones_like(ids, dtype=torch.bool))
    assert (encoder.token_ids(masked) == -1).all()
    assert torch.equal(encoder.token_ids(batch), ids), "the batch itself is unchanged"


def test_two_text_columns_have_no_common_tokens() -> None:
    columns = {"title": "embedding", "review": "embedding"}
    encoder = build_encoder(columns=columns)
    rows = [{"title": "One", "review": "Good soup"}, {"title": "Two words", "review": "Bad"}]
    items = fit(encoder, rows)
    assert encoder.words(encoder.parse(rows)[0]) == []
    assert not encoder.vocabulary
    assert encoder.input_layer().output == FeatureShape(256), "both columns are pooled"
    with pytest.raises(MtlError, match="exactly one column of tokens"):
        encoder.token_ids(encoder.collate(items))


def test_fitting_reads_the_rows_once() -> None:
    class Rows:
        passes = 0

        def __init__(self, rows: list[Any]) -> None:
            self.rows = rows

        def __iter__(self) -> Iterator[Any]:
            Rows.passes += 1
            return iter(self.rows)

    encoder = build_encoder(columns={"review": "embedding", "size": "array"})
    encoder.fit(iter(encoder.parse(ROWS)))
    other = build_encoder(columns={"review": "embedding"})
    rows = Rows(list(other.parse(ROWS)))
    other.fit(rows)
    assert Rows.passes == 1
    assert other.state()["columns"]["review"] == encoder.state()["columns"]["review"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a text", "the encoder 'columns' reads rows of cells by column, found 'a text'"),
        ({"reviews": "x", "size": [1, 2]}, "no column 'review'; did you mean 'reviews'? (columns: reviews, size)"),
        ({"review": 3, "size": [1, 2]}, "column 'review': the encoder 'embedding' reads texts"),
        ({"review": "x", "size": ["y"]}, "column 'size': the encoder 'array' reads arrays of numbers"),
    ],
)
def test_invalid_rows_are_refused_by_column(row: Any, message: str) -> None:
    with pytest.raises(MtlError) as error:
        build_encoder().parse([row])
    assert str(error.value).startswith(message)


def test_required_cells() -> None:
    build_encoder(missing={"size": "learn"}).parse(ROWS)
    with pytest.raises(MtlError, match=r"^column 'size': the cell is missing$"):
        build_encoder(missing={"size": "error"}).parse(ROWS)
    with pytest.raises(MtlError, match=r"^column 'review': the cell is missing$"):
        build_encoder(missing="error").parse(ROWS)


def test_column_without_training_cells_is_refused() -> None:
    encoder = build_encoder()
    with pytest.raises(MtlError, match="column 'size': all cells of training examples are missing"):
        encoder.fit(encoder.parse([{"review": "x", "size": None}]))


def test_row_without_cells_is_empty() -> None:
    encoder = build_encoder()
    parsed = encoder.parse([{"review": " ", "size": None}, {"review": "x", "size": None}])
    assert [encoder.is_empty(row) for row in parsed] == [True, False]


def test_spatial_features_are_broadcast_and_pooled() -> None:
    shapes = {"image": FeatureShape(3, size=(2, 2), image_size=(4, 4)), "size": FeatureShape(1)}
    features = {
        "image": Features(torch.arange(12.0).view(1, 3, 2, 2)),
        "size": Features(torch.tensor([[5.0]])),
    }
    fusion: Any = Broadcast().build(shapes)
    assert fusion.output == FeatureShape(4, size=(2, 2), image_size=(4, 4))
    assert fusion(features).values[0, 3].tolist() == [[5, 5], [5, 5]]
    concatenate: Any = REGISTRY.find("fusions", "concatenate")
    assert concatenate().build(shapes)(features).values.tolist() == [[1.5, 5.5, 9.5, 5]]
    with pytest.raises(MtlError, match="exactly one column with tokens or positions, found none"):
        Broadcast().build({"size": FeatureShape(1)})


def test_rows_in_a_corpus() -> None:
    rows = [
        {"review": "Good  soup\nhere", "price": 3.0, "tags": ("a", "b"), "day": None},
        {"day": None, "price": 3.0, "tags": ("a", "b"), "review": "good soup here"},
        {"review": "Good soup here", "price": 4.0, "tags": ("a", "b"), "day": None},
    ]
    corpus = Corpus(ids=list("abc"), inputs=rows, labels={}, splits=["train"] * 3)
    assert corpus.get_text(0) == "review: Good soup here, price: 3, tags: a; b"
    assert len(set(corpus.groups)) == 2
    assert corpus.groups[0] == corpus.groups[1]


def test_cells_as_text_and_json() -> None:
    url = "data:image/png;base64," + "A" * 200
    cells = {"photo": url, "scan": np.arange(9.0), "mask": np.zeros((40, 40)), "tags": ("a", "b"), "wait": 0.1}
    expected = "photo: data:image/png;base64,…, scan: 0 1 2 3 4 5 6 7 …, mask: 0 0 0 0 0 0 0 0 …, tags: a; b, wait: 0.1"
    assert format_input(cells) == expected
    assert {name: convert_to_json(cell) for name, cell in cells.items()} == {
        "photo": "data:image/png;base64,…",
        "scan": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        "mask": "array of shape (40, 40)",
        "tags": ["a", "b"],
        "wait": 0.1,
    }
