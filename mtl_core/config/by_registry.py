"""Validation of blocks with a `type:`, whose spec is looked up in the registry.

A field is annotated with the base spec, and its `type` is looked up during validation. So plugins that are
registered late need no rebuilt model, error locations are YAML paths, and a misspelt type is reported with the
nearest name.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

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

from mtl_core.config.strict import error_at
from mtl_core.errors import MtlError, listed

if TYPE_CHECKING:
    from mtl_core.registry import Registry


@cache
def installed_registry() -> "Registry":
    """Return the registry of the installed plugins, for models that are validated without a context."""
    from mtl_core.plugins import Plugins
    from mtl_core.registry import Registry

    return Registry(Plugins.installed())


class SeamMark:
    """A mark of a field in the JSON Schema, which is replaced by a reference to the specs.

    Args:
        seam: The name of the extension point.
    """

    def __init__(self, seam: str) -> None:
        self.seam = seam

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"x-mtl-seam": self.seam}


def by_registry(seam: str) -> WrapValidator:
    """Build the validator of the fields of an extension point."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        from mtl_core.seams import SEAMS

        noun, base = SEAMS[seam].noun, SEAMS[seam].base
        if isinstance(value, base):
            return value
        registry: Registry = (info.context or {}).get("registry") or installed_registry()
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            message = f"expected a {noun}: a block with `type:`, one of {listed(sorted(registry.offers(seam)))}"
            raise ValidationError.from_exception_data(base.__name__, [error_at((), "seam", message, value)])
        try:
            spec = registry.find(seam, value["type"])
        except MtlError as error:
            line = error_at(("type",), "unknown_type", str(error), value["type"])
            raise ValidationError.from_exception_data(base.__name__, [line]) from error
        return spec.model_validate(value, context=info.context)

    return WrapValidator(validate)


def default_type(type_name: str) -> Any:
    """Build a field whose default is also looked up in the registry, so that the core references no class."""
    return Field(default_factory=lambda: {"type": type_name}, validate_default=True)
