"""Pydantic field types for blocks whose `type:` picks a spec from the registry.

A field is typed as the base spec and validated by looking `type` up, so a plugin that registers late needs no
model rebuilt, error locations are the YAML's own paths, and a misspelt type can be answered with its neighbour.
"""

from functools import cache
from typing import Annotated, Any

from pydantic import (
    GetJsonSchemaHandler,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mtl_core import specs
from mtl_core.config.strict import error_at
from mtl_core.errors import MtlError, listed
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry
from mtl_core.seams import SEAMS


@cache
def installed_registry() -> Registry:
    """The registry of what is installed, for models that are validated without a context."""
    return Registry(Plugins.installed())


class _Seam:
    """Validates a field by the registry and marks its place in the JSON Schema."""

    def __init__(self, seam: str) -> None:
        self.seam = seam

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"x-mtl-seam": self.seam}


def _validator(seam: str) -> WrapValidator:
    noun, base = SEAMS[seam].noun, SEAMS[seam].base

    def validate(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
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


LoaderField = Annotated[SerializeAsAny[specs.LoaderSpec], _validator("loaders"), _Seam("loaders")]
SplitterField = Annotated[SerializeAsAny[specs.SplitterSpec], _validator("splitters"), _Seam("splitters")]
EncoderField = Annotated[SerializeAsAny[specs.EncoderSpec], _validator("encoders"), _Seam("encoders")]
BackboneField = Annotated[SerializeAsAny[specs.BackboneSpec], _validator("backbones"), _Seam("backbones")]
HeadField = Annotated[SerializeAsAny[specs.HeadSpec], _validator("heads"), _Seam("heads")]
TaskKindField = Annotated[SerializeAsAny[specs.TaskKindSpec], _validator("task_kinds"), _Seam("task_kinds")]
LossField = Annotated[SerializeAsAny[specs.LossSpec], _validator("losses"), _Seam("losses")]
LossMaskField = Annotated[SerializeAsAny[specs.LossMaskSpec], _validator("loss_masks"), _Seam("loss_masks")]
ClassWeightsField = Annotated[
    SerializeAsAny[specs.ClassWeightsSpec], _validator("class_weights"), _Seam("class_weights")
]
MetricField = Annotated[SerializeAsAny[specs.MetricSpec], _validator("metrics"), _Seam("metrics")]
WeightingField = Annotated[SerializeAsAny[specs.WeightingSpec], _validator("weightings"), _Seam("weightings")]
OptimizerField = Annotated[SerializeAsAny[specs.OptimizerSpec], _validator("optimizers"), _Seam("optimizers")]
ScheduleField = Annotated[SerializeAsAny[specs.ScheduleSpec], _validator("schedules"), _Seam("schedules")]
