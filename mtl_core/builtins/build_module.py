"""Build a module from what a user hands in: an instance, a class, or a function."""

import copy
import inspect
from collections.abc import Mapping

from torch import nn

from mtl_core.errors import MtlError


def build_module(part: object, name: str, noun: str, arguments: Mapping[str, object]) -> nn.Module:
    """Copy a module, or call what builds it.

    Args:
        part: A module, which is copied with its weights, so that every network starts with the same; a class that
            needs no arguments; or a function that receives `arguments`, or none of them.
        name: Its name, for messages.
        noun: What the module is used as, for messages.
        arguments: The arguments of a function, by position.

    Raises:
        MtlError: If it needs other arguments, or returns no module.
    """
    if isinstance(part, nn.Module):
        return copy.deepcopy(part)
    if not callable(part):
        raise MtlError(f"the {noun} '{name}': expected a module, its class or a function, found {part!r}")
    n_required = _count_required(part)
    if n_required == 0:
        module = part()
    elif n_required == len(arguments) and not isinstance(part, type):
        module = part(*arguments.values())
    else:
        names = ", ".join(arguments)
        example = f"lambda {names}: {name}({'inputs.width, …' if isinstance(part, type) else '…'})"
        raise MtlError(
            f"the {noun} '{name}' needs {n_required} argument{'s' if n_required != 1 else ''}; hand in an instance, "
            f"or a function of {names}: {example}"
        )
    if not isinstance(module, nn.Module):
        raise MtlError(f"the {noun} '{name}' returned {module!r}, expected a torch module")
    return module


def _count_required(function: object) -> int:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]  # checked by the caller
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional and one.default is one.empty for one in parameters)
