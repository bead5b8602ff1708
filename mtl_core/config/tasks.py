"""The entries of `tasks:`: one task, or one task per label column that matches a pattern."""

from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, ValidationInfo, WrapValidator

from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import HeadField, LossMaskField, TaskKindField
from mtl_core.plugins.specs import HeadSpec, TaskKindSpec
from mtl_core.plugins.strict_model import StrictModel


class _TaskBase(StrictModel):
    """The keys that all entries of `tasks:` have."""

    kind: TaskKindField = default_type("classification")
    """The kind of the labels."""
    head: HeadField
    """The task-specific layers of the network."""
    mask: LossMaskField = default_type("observed")
    """Which labels count."""
    weight: NonNegativeFloat = 1.0
    """The weight of the task's loss relative to the other tasks'; at 0 the loss is not computed."""
    data: list[str] = []
    """The data sets of `data_sets:` that the task is trained on; if left out, all that have its label column."""


class NamedTask(_TaskBase):
    """One task."""

    name: str = Field(min_length=1)
    """The task's name."""
    label: str | None = None
    """The label column of the task; the task's name if left out."""

    @property
    def column(self) -> str:
        """The label column; an empty name if labels are derived from the inputs."""
        return "" if self.kind.reads_inputs else self.label or self.name

    def matches(self, name: str) -> bool:
        """Return whether this entry defines a task of this name."""
        return name == self.name


class TaskPattern(_TaskBase):
    """One task per label column that matches a pattern and has no task of its own name."""

    each: str
    """A pattern of column names: `*` for all columns."""

    def matches(self, name: str) -> bool:
        """Return whether this entry can define a task of this name."""
        return fnmatchcase(name, self.each)


def describe_level_mismatch(kind: TaskKindSpec, head: HeadSpec) -> str:
    """Return an error message if the head's outputs and the task's labels differ in level, else an empty text."""
    if kind.level == head.level:
        return ""
    return (
        f"the kind '{kind.type}' has one label per {kind.level}, but the head '{head.type}' returns outputs per "
        f"{head.level}; choose a head for {kind.level}s (`mtl plugins` lists them)"
    )


def _validate_task_entry(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """Choose the model by the key `each`, so that errors concern one model only."""
    if isinstance(value, NamedTask | TaskPattern):
        return value
    model = TaskPattern if isinstance(value, dict) and "each" in value else NamedTask
    return model.model_validate(value, context=info.context)


TaskEntry = Annotated[NamedTask | TaskPattern, WrapValidator(_validate_task_entry)]
