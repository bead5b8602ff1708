"""The validation of names in the YAML blocks of task kinds."""

from typing import Self

from pydantic import model_validator

from mtl_core.plugins.specs import TaskKindSpec


class UniqueNamesSpec(TaskKindSpec):
    """Base class of task kinds whose classes and metrics have distinct names."""

    @model_validator(mode="after")
    def _validate_unique_names(self) -> Self:
        metrics = [metric.key() for metric in getattr(self, "metrics", ())]
        classes = getattr(self, "classes", None)
        for item, names in (("class", classes if isinstance(classes, list) else []), ("metric", metrics)):
            duplicates = [name for name in names if names.count(name) > 1]
            if duplicates:
                raise ValueError(f"the {item} '{duplicates[0]}' is listed twice")
        return self
