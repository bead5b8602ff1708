"""The default encoders of input columns in an experiment."""

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.corpus import Corpus
from mtl_core.errors import MtlError
from mtl_core.plugins.hookspecs import hookimpl
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import LoaderSpec


class Rows(LoaderSpec):
    """Rows of input columns."""

    type: Literal["rows"] = "rows"
    columns: dict[str, str] = {}
    """Column: type."""

    @property
    def input_types(self) -> dict[str, str]:
        return self.columns

    def load(self) -> Corpus:
        raise NotImplementedError


class Plugin:
    @staticmethod
    @hookimpl
    def mtl_loaders() -> list[type[LoaderSpec]]:
        return [Rows]


PLUGINS = load_plugins()
PLUGINS.add_object(Plugin, "rows")
REGISTRY = Registry(PLUGINS)
COLUMNS = {"review": "text", "size": "array"}


def validate(**keys: Any) -> ExperimentConfig:
    value = {
        "name": "rows",
        "data": {"type": "rows", "columns": COLUMNS},
        "backbone": "mlp",
        "tasks": [{"name": "topic", "kind": "classification", "head": "linear"}],
        **keys,
    }
    value = {key: item for key, item in value.items() if item is not None}
    return ExperimentConfig.model_validate(value, context={"registry": REGISTRY})


def get_messages(**keys: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as error:
        validate(**keys)
    return {".".join(map(str, line["loc"])): line["msg"] for line in error.value.errors()}


def test_each_column_has_the_encoder_of_its_type() -> None:
    block = validate().model_dump(mode="json")["encoder"]
    assert block["type"] == "columns"
    assert block["missing"] == "learn"
    assert {name: column["type"] for name, column in block["columns"].items()} == {
        "review": "embedding",
        "size": "array",
    }
    assert block["columns"]["review"]["dimensions"] == 128, "the resolved config has all keys"
    assert validate(encoder=block) == validate()


def test_a_block_without_type_sets_keys_of_the_default() -> None:
    encoder: Any = validate(encoder={"type": "columns", "columns": {"review": {"dimensions": 7}}}).encoder
    assert encoder.columns["review"].dimensions == 7
    assert list(encoder.columns) == ["review", "size"]
    other: Any = validate(encoder={"type": "columns", "fusion": "gated", "columns": {"review": "spacy"}}).encoder
    assert (other.columns["review"].type, other.fusion.hidden_dim) == ("spacy", 64)


def test_columns_can_be_omitted() -> None:
    spec: Any = validate(encoder={"omit": ["size"]}).encoder
    assert list(spec.columns) == ["review", "size"], "the resolved config has all columns"
    encoder = spec.build()
    assert list(encoder.parse([{"review": "soup", "size": None}])) == [("soup",)]
    assert "`omit` names 'sizes', which is not a column; did you mean 'size'?" in str(
        get_messages(encoder={"omit": ["sizes"]})
    )
    assert "no input is left" in str(get_messages(encoder={"omit": ["size", "review"]}))


def test_another_encoder_is_unchanged() -> None:
    assert validate(encoder={"type": "array"}).encoder.type == "array"


def test_messages() -> None:
    unknown = {"type": "columns", "columns": {"reveiw": {"dimensions": 7}}}
    message = "unknown input column 'reveiw'; did you mean 'review'? (input columns: review, size)"
    assert get_messages(encoder=unknown) == {"encoder": message}
    assert get_messages(data={"type": "rows"}) == {"encoder": "Field required"}
    data_sets = {"a": {"type": "rows", "columns": COLUMNS}, "b": {"type": "rows", "columns": {"review": "text"}}}
    assert "different input columns" in get_messages(data=None, data_sets=data_sets)["encoder"]
    assert list(get_messages(data={"type": "rows", "columns": 3})) == ["data.columns"], "one error, that of the loader"
    wrong_key = {"type": "columns", "columns": {"review": {"dimension": 7}}}
    assert "did you mean 'dimensions'" in get_messages(encoder=wrong_key)["encoder.columns.review.dimension"]


def test_rows_need_a_loader_of_rows() -> None:
    with pytest.raises(MtlError, match="the loader 'rows' does not read rows"):
        Rows().from_row({"review": "x"})


# ── numbers of tables ──

NUMBERS = {"type": "table", "train": "a.csv", "numbers": ["x{0..3}"]}


def test_numbers_of_a_table_are_an_array() -> None:
    config = validate(data=NUMBERS)
    assert config == validate(data=NUMBERS, encoder="array")
    assert config.model_dump(mode="json")["encoder"] == {"type": "array", "standardise": True}
    unchanged: Any = validate(data=NUMBERS, encoder={"type": "array", "standardise": False}).encoder
    assert unchanged.standardise is False
    both = {"first": NUMBERS, "second": {**NUMBERS, "train": "b.csv"}}
    assert validate(data=None, data_sets=both).encoder == config.encoder


def test_texts_of_a_table_have_no_default_encoder() -> None:
    texts = {"type": "table", "train": "a.csv", "text": "x"}
    assert get_messages(data=texts) == {"encoder": "Field required"}
    assert get_messages(data=None, data_sets={"a": NUMBERS, "b": texts}) == {"encoder": "Field required"}
    assert get_messages(data=None, data_sets={"a": texts, "b": NUMBERS}) == {"encoder": "Field required"}
