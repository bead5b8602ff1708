"""The fields of parts whose module is handed in from Python."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, model_validator
from pydantic.json_schema import SkipJsonSchema

from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.python_parts import require_object
from mtl_core.plugins.spec import Spec


class PythonModule(Spec):
    """Base class of specs whose module is handed in from Python; a saved run stores only its name."""

    noun: ClassVar[str] = "module"
    """The name of the part in messages."""

    name: str = Field(min_length=1)
    """The name of the class or function, which `mtl.load(path, parts=[…])` hands in again."""
    module: SkipJsonSchema[Any] = Field(default=None, exclude=True, repr=False)
    """The module, its class, or a function that builds it. It cannot be written in YAML."""

    @model_validator(mode="before")
    @classmethod
    def _find_module(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict) or value.get("module") is not None or not isinstance(value.get("name"), str):
            return value
        try:
            module = require_object(get_registry(info.context).plugins.objects, value["name"], cls.noun)
        except MtlError as error:
            raise ValueError(str(error)) from error
        return {**value, "module": module}
