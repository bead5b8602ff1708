"""Accuracy over a subset of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torch
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class RestrictedAccuracy(MetricSpec):
    """Accuracy over a subset of the classes, by restricted arg-max.

    Examples of other classes are excluded, and a prediction outside the subset is replaced by the class of the
    subset with the highest score. The ABSA literature computes 3-way and 2-way scores of 4-way models like this.
    """

    type: Literal["restricted-accuracy"] = "restricted-accuracy"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """The metric's name in `metrics.json` and in tables."""
    classes: list[str] | None = Field(default=None, min_length=2)
    """The classes of the subset; null selects all except the label for absence (`detect-and-classify`)."""

    @field_validator("name")
    @classmethod
    def _validate_name(cls, name: str) -> str:
        if name in {"n", "correct"} or name.startswith("majority_") or name.endswith("_n"):
            raise ValueError(f"'{name}' cannot be a metric's name: metrics.json uses it for something else")
        return name

    def key(self) -> str:
        """Return the configured name."""
        return self.name

    def _resolve_codes(self, space: LabelSpace) -> list[int]:
        class_names = require_class_space(space, self).classes
        if self.classes is None:
            return [code for code, name in enumerate(class_names) if name != getattr(space, "absent_label", None)]
        for name in self.classes:
            if name not in class_names:
                hint = did_you_mean(name, class_names)
                raise MtlError(
                    f"metric '{self.name}': '{name}' is not a class{hint} (classes: {join_names(class_names)})"
                )
        return [class_names.index(name) for name in self.classes]

    def select_rows(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        """Return which rows `(n,)` have a true class in the subset."""
        import torch

        return torch.isin(targets, torch.tensor(self._resolve_codes(space), device=targets.device))

    def check_space(self, space: LabelSpace) -> None:
        """Require the classes of the subset."""
        self._resolve_codes(space)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro-averaged accuracy over restricted outputs."""
        from mtl_core.builtins.metrics.modules.restricted_accuracy import RestrictedArgmaxAccuracy

        return RestrictedArgmaxAccuracy(self._resolve_codes(space))

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each restricted prediction is correct, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import append_count, restricted_argmax

        return append_count(restricted_argmax(outputs, self._resolve_codes(space)) == targets)
