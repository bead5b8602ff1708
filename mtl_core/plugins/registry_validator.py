"""Validation of blocks with a `type:`, whose spec is looked up in the registry.

A field is annotated with the base spec, and its `type` is looked up during validation. So plugins that are
registered late need no rebuilt model, error locations are YAML paths, and a misspelt type is reported with the
nearest name.
"""

from typing import Any

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mtl_core.errors import MtlError, add_article, join_names
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.strict_model import build_error_details


class ExtensionPointMark:
    """A mark of a field in the JSON Schema, which is replaced by a reference to the specs.

    Args:
        extension_point: The name of the extension point.
    """

    def __init__(self, extension_point: str) -> None:
        self.extension_point = extension_point

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"x-mtl-extension-point": self.extension_point}


def registry_validator(extension_point: str) -> WrapValidator:
    """Build the validator of the fields of an extension point."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        noun, base = EXTENSION_POINTS[extension_point].noun, EXTENSION_POINTS[extension_point].base
        if isinstance(value, base):
            return value
        registry = get_registry(info.context)
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            known_types = join_names(sorted(registry.get_specs(extension_point)))
            message = f"expected {add_article(noun)}: a block with `type:`, one of {known_types}"
            raise ValidationError.from_exception_data(
                base.__name__, [build_error_details((), "custom", message, value)]
            )
        try:
            spec = registry.find(extension_point, value["type"])
        except MtlError as error:
            details = build_error_details(("type",), "unknown_type", str(error), value["type"])
            raise ValidationError.from_exception_data(base.__name__, [details]) from error
        return spec.model_validate(value, context={**(info.context or {}), "registry": registry})

    return WrapValidator(validate)


def default_type(type_name: str) -> Any:
    """Build a field whose default is also looked up in the registry, so that the core references no class."""
    return Field(default_factory=lambda: {"type": type_name}, validate_default=True)
