"""The base class of all models that are read from YAML: no coercion, no unknown keys."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from mtl_core.errors import did_you_mean, join_names


def build_custom_error(error_type: str, message: str) -> PydanticCustomError:
    """Build a pydantic error whose message may contain braces."""
    return PydanticCustomError(error_type, "{message}", {"message": message})


def build_error_details(loc: tuple[int | str, ...], error_type: str, message: str, value: object) -> InitErrorDetails:
    """Build one error of a `ValidationError`, at a location relative to the model that is validated."""
    return InitErrorDetails(type=build_custom_error(error_type, message), loc=loc, input=value)


def to_error_details(error: ValidationError) -> list[InitErrorDetails]:
    """Convert a `ValidationError` into the details that it can be rebuilt from, with the same messages."""
    return [
        build_error_details(line["loc"], line["type"], line["msg"], line["input"])
        for line in error.errors(include_url=False)
    ]


class StrictModel(BaseModel):
    """A frozen model without coercion that rejects unknown keys and suggests the nearest known key."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        known = {key: value for key, value in data.items() if key in cls.model_fields}
        if len(known) == len(data):
            return handler(data)
        errors = [
            build_error_details((str(key),), "unknown_key", cls.unknown_key_message(str(key)), value)
            for key, value in data.items()
            if key not in known
        ]
        try:
            handler(known)
        except ValidationError as error:
            errors += to_error_details(error)
        raise ValidationError.from_exception_data(cls.__name__, errors)

    @classmethod
    def unknown_key_message(cls, key: str) -> str:
        """Format the error message of an unknown key, with the nearest key and all known keys."""
        keys = list(cls.model_fields)
        return f"unknown key '{key}'{did_you_mean(key, keys)} (keys here: {join_names(keys)})"
