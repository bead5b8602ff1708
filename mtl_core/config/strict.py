"""The base of every model that is read from YAML: nothing coerced, no unknown key let through."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from mtl_core.errors import did_you_mean, listed


def custom_error(kind: str, message: str) -> PydanticCustomError:
    """Make a pydantic error whose message may hold braces."""
    return PydanticCustomError(kind, "{message}", {"message": message})


def error_at(loc: tuple[int | str, ...], kind: str, message: str, found: object) -> InitErrorDetails:
    """Make one line of a `ValidationError`, at a place below the model that is being validated."""
    return InitErrorDetails(type=custom_error(kind, message), loc=loc, input=found)


def as_details(error: ValidationError) -> list[InitErrorDetails]:
    """Turn a `ValidationError` back into the details it can be made of, messages kept."""
    return [
        error_at(line["loc"], line["type"], line["msg"], line["input"]) for line in error.errors(include_url=False)
    ]


class StrictModel(BaseModel):
    """A frozen model without coercion that names unknown keys, with the nearest known one."""

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
        lines = [
            error_at((str(key),), "unknown_key", cls.unknown_key_message(str(key)), value)
            for key, value in data.items()
            if key not in known
        ]
        try:
            handler(known)
        except ValidationError as error:
            lines += as_details(error)
        raise ValidationError.from_exception_data(cls.__name__, lines)

    @classmethod
    def unknown_key_message(cls, key: str) -> str:
        """Say that a key is unknown here, which is nearest, and which there are."""
        keys = list(cls.model_fields)
        return f"unknown key '{key}'{did_you_mean(key, keys)} (keys here: {listed(keys)})"
