"""`--set a.b=value`: changing one value of an experiment from the command line."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from mtl_core.config.yaml_file import Loc, parse_scalar
from mtl_core.errors import MtlError


def apply_overrides(value: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[Loc]]:
    """Set values by dotted key; a number picks an entry of a list (`tasks.0.weight=2`).

    Args:
        value: The experiment as read from YAML; it is not changed.
        overrides: `key=value` texts; values are read as YAML.

    Returns:
        The changed copy, and the places that were set.

    Raises:
        MtlError: If a text has no `=`, or its key leads through something that is not a block.
    """
    value = deepcopy(value)
    places = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise MtlError(f"--set {override}: expected KEY=VALUE, such as training.epochs=3")
        steps = key.strip().split(".")
        target: Any = value
        loc: Loc = ()
        for step in steps[:-1]:
            loc = (*loc, _index(target, step, override))
            target = _descend(target, loc[-1], override)
        last = _index(target, steps[-1], override)
        target[last] = parse_scalar(text)
        places.append((*loc, last))
    return value, places


def _index(target: Any, step: str, override: str) -> int | str:
    if isinstance(target, dict):
        return step
    if isinstance(target, list):
        if step.isdecimal() and int(step) < len(target):
            return int(step)
        raise MtlError(f"--set {override}: '{step}' is no entry of a list of {len(target)} (counted from 0)")
    raise MtlError(f"--set {override}: '{step}' lies below {target!r}, which is not a block")


def _descend(target: Any, step: int | str, override: str) -> Any:
    if isinstance(target, dict):
        found = target.setdefault(step, {})
        if found is None:
            found = target[step] = {}
        elif isinstance(found, str):  # the short form `backbone: bilstm`
            found = target[step] = {"type": found}
        return found
    return target[step]
