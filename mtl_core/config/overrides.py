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
    places = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise MtlError(f"--set {override}: expected KEY=VALUE, such as training.epochs=3")
        places.append(put(value, key.strip(), parse_scalar(text), f"--set {override}"))
    return value, places


def put(value: dict[str, Any], key: str, item: Any, where: str) -> Loc:
    """Set one value by its dotted key, in place.

    Args:
        value: The experiment.
        key: The dotted key.
        item: The new value.
        where: The prefix of error messages.

    Returns:
        The location that was set.

    Raises:
        MtlError: If the key passes through a value that is not a block.
    """
    steps = key.split(".")
    target: Any = value
    loc: Loc = ()
    for step in steps[:-1]:
        loc = (*loc, _index(target, step, where))
        target = _descend(target, loc[-1])
    last = _index(target, steps[-1], where)
    target[last] = item
    return (*loc, last)


def _index(target: Any, step: str, where: str) -> int | str:
    if isinstance(target, dict):
        return step
    if isinstance(target, list):
        if step.isdecimal() and int(step) < len(target):
            return int(step)
        raise MtlError(f"{where}: '{step}' is not an index of a list of {len(target)} (counted from 0)")
    raise MtlError(f"{where}: '{step}' lies below {target!r}, which is not a block")


def _descend(target: Any, step: int | str) -> Any:
    if isinstance(target, dict):
        found = target.setdefault(step, {})
        if found is None:
            found = target[step] = {}
        elif isinstance(found, str):  # the short form `backbone: bilstm`
            found = target[step] = {"type": found}
        return found
    return target[step]
