"""Heads that are declared once and referenced by name."""

from typing import Any

from pydantic import ValidationError, ValidationInfo

from mtl_core.config.by_registry import installed_registry
from mtl_core.config.seam_fields import HeadField
from mtl_core.config.strict import StrictModel, error_at
from mtl_core.errors import did_you_mean, listed


class _Heads(StrictModel):
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
    declared = _Heads.model_validate({"heads": heads}, context=info.context).heads
    installed = ((info.context or {}).get("registry") or installed_registry()).offers("heads")
    lines, resolved = [], []
    for place, task in enumerate(tasks):
        name = task.get("head") if isinstance(task, dict) else None
        if isinstance(name, str) and name in declared:
            task = {**task, "head": declared[name]}
        resolved.append(task)
        message = _flaw(name, declared, installed) if isinstance(name, str) else ""
        if message:
            lines.append(error_at(("tasks", place, "head"), "seam", message, name))
    if lines:
        raise ValidationError.from_exception_data("ExperimentConfig", lines)
    return {**value, "tasks": resolved}


def _flaw(name: str, declared: dict[str, Any], installed: dict[str, Any]) -> str:
    if name in declared and name in installed:
        return (
            f"'{name}' is declared in `heads`, and is also the type of an installed head; rename the one in `heads`"
        )
    if name not in declared and name not in installed:
        near = did_you_mean(name, [*declared, *installed])
        return (
            f"unknown head '{name}'{near} (in `heads`: {listed(declared)}; installed: {listed(sorted(installed))})"
        )
    return ""
