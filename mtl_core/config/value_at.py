"""Access to one value of an experiment by its dotted key."""

from typing import Any

from pydantic import BaseModel


def get_value(config: BaseModel, key: str) -> Any:
    """Return the value at a dotted key, as in `--set`; None if there is none."""
    value: Any = config
    for step in key.split("."):
        if isinstance(value, BaseModel):
            value = getattr(value, step) if step in type(value).model_fields else None
        elif isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
