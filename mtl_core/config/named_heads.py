"""Heads that are declared once and referenced by name."""

from typing import Any

from pydantic import ValidationError, ValidationInfo

from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.spec_fields import HeadField
from mtl_core.plugins.strict_model import StrictModel, build_error_details


class _HeadsBlock(StrictModel):
    """The block `heads:`, validated separately."""

    heads: dict[str, HeadField]


def resolve_named_heads(value: Any, info: ValidationInfo) -> Any:
    """Replace the names of heads in `tasks:` by the heads that `heads:` declares.

    Args:
        value: The experiment, before validation.
        info: The validation info; its context contains the registry.

    Raises:
        ValidationError: If a head is invalid, or a name is unknown or also the type of an installed head.
    """
    heads = value.get("heads") if isinstance(value, dict) else None
    tasks = value.get("tasks") if isinstance(value, dict) else None
    if not isinstance(heads, dict) or not heads or not isinstance(tasks, list):
        return value
    declared_heads = _HeadsBlock.model_validate({"heads": heads}, context=info.context).heads
    installed_heads = get_registry(info.context).get_specs("heads")
    errors, resolved = [], []
    for index, task in enumerate(tasks):
        name = task.get("head") if isinstance(task, dict) else None
        if isinstance(name, str) and name in declared_heads:
            task = {**task, "head": declared_heads[name]}
        resolved.append(task)
        message = _validate_head_name(name, declared_heads, installed_heads) if isinstance(name, str) else ""
        if message:
            errors.append(build_error_details(("tasks", index, "head"), "custom", message, name))
    if errors:
        raise ValidationError.from_exception_data("ExperimentConfig", errors)
    return {**value, "tasks": resolved}


def _validate_head_name(name: str, declared_heads: dict[str, Any], installed_heads: dict[str, Any]) -> str:
    if name in declared_heads and name in installed_heads:
        return f"'{name}' is declared in `heads`, and is also the type of an installed head; rename the one in `heads`"
    if name not in declared_heads and name not in installed_heads:
        suggestion = did_you_mean(name, [*declared_heads, *installed_heads])
        return (
            f"unknown head '{name}'{suggestion} (in `heads`: {join_names(declared_heads)}; "
            f"installed: {join_names(sorted(installed_heads))})"
        )
    return ""
