"""The JSON Schema of experiment files with all installed specs, for editors."""

from collections.abc import Mapping
from typing import Any

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import LoaderSpec, Spec

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that YAML language servers support; they resolve references into `$defs`."""


def build_experiment_schema(registry: Registry) -> dict[str, Any]:
    """Build the schema of an experiment file.

    The schema of a block with a `type:` has one alternative per installed spec, so editors can complete type names
    and the keys of each type. A spec without required keys may also be written as its type name.

    Args:
        registry: The installed specs.
    """
    definitions: dict[str, Any] = {}
    schema = _build_model_schema(ExperimentConfig, definitions, "")
    schema["properties"]["tasks"]["items"] = {
        "anyOf": [
            _add_definition(NamedTask, definitions, "NamedTask"),
            _add_definition(TaskPattern, definitions, "DerivedTasks"),
        ]
    }
    for name in ("NamedTask", "DerivedTasks"):
        head = definitions[name]["properties"]["head"]
        named_head = {"type": "string", "description": "The name of a head that `heads:` declares."}
        definitions[name]["properties"]["head"] = {"anyOf": [*head.pop("allOf"), named_head], **head}
    # The file's name replaces a missing name.
    schema["required"] = [key for key in schema["required"] if key != "name"]
    # Exactly one of both keys; a resolved file contains the other as null or empty.
    schema["oneOf"] = [
        {"required": ["data"], "properties": {"data": {"type": ["object", "string"]}}},
        {"required": ["data_sets"], "properties": {"data_sets": {"minProperties": 1}}},
    ]
    # Only some loaders define default encoders.
    loader = {"anyOf": _build_loaders_with_default_encoders(registry)}
    schema["anyOf"] = [
        {"required": ["encoder"]},
        {"required": ["data"], "properties": {"data": loader}},
        {"required": ["data_sets"], "properties": {"data_sets": {"additionalProperties": loader}}},
    ]
    for extension_point in EXTENSION_POINTS:
        choices: list[dict[str, Any]] = []
        keyless_types = []
        for name, registered_specs in sorted(registry.get_specs(extension_point).items()):
            spec = registered_specs[0].spec
            choices.append(_add_definition(spec, definitions, f"{extension_point}.{name}"))
            definition = definitions[f"{extension_point}.{name}"]
            definition["required"] = sorted({*definition.get("required", []), "type"})
            if definition["required"] == ["type"]:
                keyless_types.append(name)
        if keyless_types:
            choices.append({"enum": keyless_types})
        definitions[extension_point] = {"anyOf": choices} if choices else False
    return {"$schema": DRAFT, "title": "MTL experiment", **schema, "$defs": definitions}


def _build_loaders_with_default_encoders(registry: Registry) -> list[Any]:
    """Build one schema per loader and key with which it has a default encoder.

    A loader that declares input columns does so by its key `inputs` if there is one, else always.
    """
    schemas: list[Any] = []
    for name, registered_specs in sorted(registry.get_specs("loaders").items()):
        spec = registered_specs[0].spec
        keys = [[key] for key in getattr(spec, "default_encoders", {})]
        if getattr(spec, "input_types", None) is not LoaderSpec.input_types:
            keys.append(["inputs"] if "inputs" in spec.model_fields else [])
        properties = {"type": {"const": name}}
        schemas += [{"type": "object", "required": ["type", *key], "properties": properties} for key in keys]
    return schemas or [False]


def _add_definition(model: type[Any], definitions: dict[str, Any], name: str) -> dict[str, str]:
    definitions[name] = _build_model_schema(model, definitions, f"{name}.")
    return {"$ref": f"#/$defs/{name}"}


def _build_model_schema(model: type[Any], definitions: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Build a model's schema; the definitions that it references are added under prefixed names."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}{name}"] = _resolve_extension_points(definition)
    resolved: dict[str, Any] = _resolve_extension_points(schema)
    if issubclass(model, Spec):
        resolved["properties"]["type"] = {"const": model.type_name(), "description": model.__doc__ or ""}
    return resolved


def _resolve_extension_points(value: Any) -> Any:
    """Replace the marks of extension point fields by references."""
    if isinstance(value, Mapping):
        if "x-mtl-extension-point" in value:
            metadata = {key: item for key, item in value.items() if key in {"description", "default"}}
            return {"allOf": [{"$ref": f"#/$defs/{value['x-mtl-extension-point']}"}], **metadata}
        return {key: _resolve_extension_points(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve_extension_points(item) for item in value]
    return value
