"""Classification metrics, built on torchmetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import ClassSpace, LabelSpace


def _require_class_space(space: LabelSpace, metric: MetricSpec) -> ClassSpace:
    from mtl_core.data.label_space import ClassSpace, MultiLabelSpace

    if not isinstance(space, ClassSpace) or isinstance(space, MultiLabelSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with one class per label")
    return space


class Accuracy(MetricSpec):
    """Fraction of labels that are predicted correctly."""

    type: Literal["accuracy"] = "accuracy"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro-averaged accuracy."""
        from torchmetrics.classification import MulticlassAccuracy

        return MulticlassAccuracy(
            len(_require_class_space(space, self).classes), average="micro", validate_args=False
        )

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each label is predicted correctly, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import append_count

        return append_count(outputs.argmax(dim=-1) == targets)


class MacroF1(MetricSpec):
    """Mean F1 over the classes that occur, as labels or as predictions."""

    type: Literal["macro-f1"] = "macro-f1"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build macro F1; a class without labels and without predictions is left out of the mean."""
        from torchmetrics.classification import MulticlassF1Score

        return MulticlassF1Score(
            len(_require_class_space(space, self).classes), average="macro", validate_args=False
        )

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return true positives, false positives and false negatives per class: `(n, 3 * classes)`, float64."""
        from torch.nn.functional import one_hot

        from mtl_core.builtins.metric_sums import compute_confusion_counts

        n_classes = len(space.classes)
        return compute_confusion_counts(
            one_hot(outputs.argmax(dim=-1), n_classes), one_hot(targets.long(), n_classes)
        )

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the mean F1 over the classes that occur."""
        from mtl_core.builtins.metric_sums import compute_f1, compute_nanmean

        return compute_nanmean(compute_f1(sums))


class Confusion(MetricSpec):
    """Confusion matrix: one row per true class, one column per predicted class."""

    type: Literal["confusion"] = "confusion"
    pooled: ClassVar[bool] = False
    scalar: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the matrix of counts, `(classes, classes)`."""
        from torchmetrics.classification import MulticlassConfusionMatrix

        return MulticlassConfusionMatrix(len(_require_class_space(space, self).classes), validate_args=False)


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
        class_names = _require_class_space(space, self).classes
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

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro-averaged accuracy over restricted outputs."""
        from mtl_core.builtins.restricted_accuracy import RestrictedArgmaxAccuracy

        return RestrictedArgmaxAccuracy(self._resolve_codes(space))

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each restricted prediction is correct, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import append_count
        from mtl_core.builtins.restricted_accuracy import restricted_argmax

        return append_count(restricted_argmax(outputs, self._resolve_codes(space)) == targets)


class RankDistance(MetricSpec):
    """Mean distance between the predicted and the true class of an ordinal scale, in steps."""

    type: Literal["rank-distance"] = "rank-distance"
    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean absolute difference of class codes."""
        from mtl_core.builtins.metric_modules import MeanRankDistance

        _require_class_space(space, self)
        return MeanRankDistance()

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the distance of each prediction in steps, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import append_count

        return append_count((outputs.argmax(dim=-1) - targets).abs())


class QuadraticKappa(MetricSpec):
    """Agreement beyond chance, with quadratic weights for the distance between classes (Cohen, 1968)."""

    type: Literal["quadratic-kappa"] = "quadratic-kappa"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build quadratically weighted kappa; undefined if all labels and predictions are of one class."""
        from torchmetrics.classification import MulticlassCohenKappa

        return MulticlassCohenKappa(
            len(_require_class_space(space, self).classes), weights="quadratic", validate_args=False
        )
