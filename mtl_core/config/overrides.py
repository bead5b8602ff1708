"""`--set a.b=value`: overrides of values of an experiment on the command line."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

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
    """Set one value by its dotted key, in place.

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
        target = _descend(target, loc[-1])
    last = _parse_step(target, steps[-1], message_prefix)
    target[last] = item
    return (*loc, last)


def _parse_step(target: Any, step: str, message_prefix: str) -> int | str:
    if isinstance(target, dict):
        return step
    if isinstance(target, list):
        if step.isdecimal() and int(step) < len(target):
            return int(step)
        raise MtlError(f"{message_prefix}: '{step}' is not an index of a list of {len(target)} (counted from 0)")
    raise MtlError(f"{message_prefix}: '{step}' lies below {target!r}, which is not a block")


def _descend(target: Any, step: int | str) -> Any:
    if isinstance(target, dict):
        child = target.setdefault(step, {})
        if child is None:
            child = target[step] = {}
        elif isinstance(child, str):  # the short form `backbone: bilstm`
            child = target[step] = {"type": child}
        return child
    return target[step]
