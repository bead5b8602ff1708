"""The JSON Schema with which editors complete and validate experiments."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.config.training import Selection, Training
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

INSTALLED = Registry(load_plugins())
REGISTERED_TYPES = [
    (extension_point, name)
    for extension_point in EXTENSION_POINTS
    for name in sorted(INSTALLED.get_specs(extension_point))
]
MODELS = [ExperimentConfig, NamedTask, TaskPattern, Selection, Training]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return build_experiment_schema(INSTALLED)


@pytest.fixture(scope="module")
def validator(toy_plugin: Path) -> Draft7Validator:
    """A validator of experiments that use the toy plugin."""
    return Draft7Validator(build_experiment_schema(Registry(load_plugins([str(toy_plugin)]))))


def test_schema_is_valid_and_json(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert "x-mtl-extension-point" not in json.dumps(schema), "every marker is replaced by a reference"


def test_every_reference_has_a_definition(schema: dict[str, Any]) -> None:
    def list_references(value: Any) -> list[str]:
        if isinstance(value, dict):
            reference_values = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return reference_values + [
                nested_reference for item in value.values() for nested_reference in list_references(item)
            ]
        return (
            [nested_reference for item in value for nested_reference in list_references(item)]
            if isinstance(value, list)
            else []
        )

    all_references = set(list_references(schema))
    assert len(all_references) > len(REGISTERED_TYPES)
    for reference in all_references:
        assert reference.removeprefix("#/$defs/") in schema["$defs"], reference


@pytest.mark.parametrize(("extension_point", "name"), REGISTERED_TYPES)
def test_every_type_and_key_has_a_description(extension_point: str, name: str, schema: dict[str, Any]) -> None:
    spec = INSTALLED.find(extension_point, name)
    definition = schema["$defs"][f"{extension_point}.{name}"]
    assert spec.__doc__
    assert definition["properties"]["type"] == {"const": name, "description": spec.__doc__}
    # A field that only Python sets, such as a module, is excluded.
    assert set(definition["properties"]) == {key for key, field in spec.model_fields.items() if not field.exclude}
    for key, described in definition["properties"].items():
        assert described.get("description"), f"{extension_point}.{name}.{key} has no docstring below its field"
    assert {"$ref": f"#/$defs/{extension_point}.{name}"} in schema["$defs"][extension_point]["anyOf"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_core_key_has_a_description(model: type[Any]) -> None:
    for key, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{key} has no docstring below its field"


def test_experiment_is_valid_as_written_and_as_resolved(toy_experiment: Path, validator: Draft7Validator) -> None:
    validator.validate(read_yaml(toy_experiment).value)
    validator.validate(parse_scalar(dump_config(load_experiment(toy_experiment).config)))


def test_schema_contains_loaded_plugins_only(
    toy_experiment: Path, validator: Draft7Validator, schema: dict[str, Any]
) -> None:
    value = read_yaml(toy_experiment).value
    assert "Random numbers." in json.dumps(validator.schema)
    assert "Random numbers." not in json.dumps(schema)
    assert not Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("key_path", "value"),
    [
        ("sede", 1),
        ("training.epoch", 3),
        ("training.select.metrics", "accuracy"),
        ("backbone.layer", 2),
        ("tasks.0.weigth", 1),
        ("tasks.0.head.heads", 2),
        ("tasks.0.kind.loss", {"type": "focal", "gama": 1}),
        ("tasks.0.name", "both named and derived"),
        ("backbone.type", "mpl"),
        ("backbone", "mpl"),
        ("backbone", "linear"),
        ("backbone.type", "identity"),  # which has no hidden_dims
        ("tasks.0.kind.metrics", ["acuracy"]),
        ("tasks.0.kind.metrics", ["restricted-accuracy"]),  # it has required keys, so its name is not enough
        ("encoder.standardise", "yes"),
        ("training.epochs", "3"),
        ("training.epochs", 0),
        ("training.precision", "half"),
        ("optimizer.lr", -1),
        ("optimizer.betas", [0.9]),
        ("seed", "x"),
        ("tasks", []),
        ("tasks", "food"),
        ("data", {"type": "nothing"}),
        ("data", {"examples": 3}),
        ("version", 2),
    ],
)
def test_schema_refuses_what_the_program_refuses(
    key_path: str, value: object, toy_experiment: Path, validator: Draft7Validator
) -> None:
    good = read_yaml(toy_experiment).value
    assert validator.is_valid(good)
    bad = copy.deepcopy(good)
    target: Any = bad
    *steps, last = key_path.split(".")
    for step in steps:
        target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
    target[last] = value
    assert not validator.is_valid(bad)


@pytest.mark.parametrize("key", ["data", "encoder", "backbone", "tasks"])
def test_missing_block_is_refused(key: str, toy_experiment: Path, validator: Draft7Validator) -> None:
    value = read_yaml(toy_experiment).value
    del value[key]
    assert not validator.is_valid(value)


def test_name_is_optional(toy_experiment: Path, validator: Draft7Validator) -> None:
    value = read_yaml(toy_experiment).value
    del value["name"]
    assert validator.is_valid(value)


def test_only_numbers_of_a_table_need_no_encoder(toy_experiment: Path, validator: Draft7Validator) -> None:
    value = read_yaml(toy_experiment).value
    del value["encoder"]
    value["data"] = {"type": "table", "train": "a.csv", "numbers": ["x*"]}
    assert validator.is_valid(value)
    value["data"] = {"type": "table", "train": "a.csv", "text": "x"}
    assert not validator.is_valid(value)
