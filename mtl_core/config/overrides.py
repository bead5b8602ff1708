"""Dotted keys: `--set a.b=value` on the command line, and the value of a config at a key."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.tasks import NamedTask
from mtl_core.config.yaml_file import Loc, parse_scalar
from mtl_core.errors import MtlError


def apply_overrides(value: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[Loc]]:
    """Set values by dotted key; a number is an index into a list (`tasks.0.weight=2`).

    Args:
        value: The experiment as read from YAML; it is not changed.
        overrides: `key=value` strings; values are parsed as YAML.

    Returns:
        The changed copy, and the locations that were set.

    Raises:
        MtlError: If a string contains no `=`, or its key passes through a value that is not a block.
    """
    value = deepcopy(value)
    locations = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise MtlError(f"--set {override}: expected KEY=VALUE, such as training.epochs=3")
        locations.append(set_value(value, key.strip(), parse_scalar(text), f"--set {override}"))
    return value, locations


def set_value(value: dict[str, Any], key: str, item: Any, message_prefix: str) -> Loc:
    """Set one value by its dotted key, in place. A block that is missing starts with its default type.

    Args:
        value: The experiment.
        key: The dotted key.
        item: The new value.
        message_prefix: The prefix of error messages.

    Returns:
        The location that was set.

    Raises:
        MtlError: If the key passes through a value that is not a block.
    """
    steps = key.split(".")
    target: Any = value
    loc: Loc = ()
    for step in steps[:-1]:
        loc = (*loc, _parse_step(target, step, message_prefix))
        target = _descend(target, loc)
    last = _parse_step(target, steps[-1], message_prefix)
    target[last] = item
    return (*loc, last)


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


def _parse_step(target: Any, step: str, message_prefix: str) -> int | str:
    if isinstance(target, dict):
        return step
    if isinstance(target, list):
        if step.isdecimal() and int(step) < len(target):
            return int(step)
        raise MtlError(f"{message_prefix}: '{step}' is not an index of a list of {len(target)} (counted from 0)")
    raise MtlError(f"{message_prefix}: '{step}' lies below {target!r}, which is not a block")


def _descend(target: Any, loc: Loc) -> Any:
    step = loc[-1]
    if isinstance(target, dict):
        child = target.get(step)
        if child is None:
            child = target[step] = _build_default_block(loc)
        elif isinstance(child, str):  # the short form `backbone: bilstm`
            child = target[step] = {"type": child}
        return child
    return target[step]


def _build_default_block(loc: Loc) -> dict[str, Any]:
    """Build the block of a key that the file does not contain: its default type, if it has one."""
    is_task = len(loc) == 3 and loc[0] == "tasks"
    if len(loc) != 1 and not is_task:
        return {}
    field = (NamedTask if is_task else ExperimentConfig).model_fields.get(str(loc[-1]))
    default = field.get_default(call_default_factory=True, validated_data={}) if field is not None else None
    return dict(default) if isinstance(default, dict) and "type" in default else {}
