"""Validation of a value that is one of several models, selected by the key `type`."""

from typing import Any

from pydantic import ValidationError, ValidationInfo, WrapValidator

from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.strict_model import StrictModel, build_error_details


def build_type_validator(*models: type[StrictModel]) -> WrapValidator:
    """Build a validator that selects a model by the key `type`, so that errors mention only this model."""
    models_by_type = {model.model_fields["type"].default: model for model in models if "type" in model.model_fields}
    untyped_model = next((model for model in models if "type" not in model.model_fields), None)

    def validate(value: Any, handler: Any, info: ValidationInfo) -> Any:
        if value is None or isinstance(value, models):
            return value
        block = {"type": value} if isinstance(value, str) and untyped_model is None else value
        type_name = block.get("type") if isinstance(block, dict) else None
        if untyped_model is not None and isinstance(block, dict) and "choices" in block:
            model = untyped_model
        elif isinstance(type_name, str) and type_name in models_by_type:
            model = models_by_type[type_name]
        elif isinstance(type_name, str):
            message = (
                f"unknown type '{type_name}'{did_you_mean(type_name, models_by_type)} "
                f"(types here: {join_names(models_by_type)})"
            )
            raise ValidationError.from_exception_data(
                "sweep", [build_error_details(("type",), "custom", message, type_name)]
            )
        else:
            choices_note = ", or with `choices:`" if untyped_model is not None else ""
            message = f"expected a block with `type:`, one of {join_names(models_by_type)}{choices_note}"
            raise ValidationError.from_exception_data("sweep", [build_error_details((), "custom", message, value)])
        return model.model_validate(block, context=info.context)

    return WrapValidator(validate)
