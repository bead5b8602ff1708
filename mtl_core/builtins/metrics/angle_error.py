"""Errors of directions, such as surface normals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mtl_core.builtins.metrics.label_spaces import require_number_space
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class _AngleMetric(MetricSpec):
    """Base class: a mean of a function of the angle between an output and its label, both vectors."""

    def check_space(self, space: LabelSpace) -> None:
        """Require vectors."""
        if not require_number_space(space, self).vector:
            raise MtlError(f"the metric '{self.type}' is for tasks whose labels are vectors, such as `channels: 3`")

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean over labels."""
        from mtl_core.builtins.metrics.modules.mean_of_sums import MeanOfSums

        self.check_space(space)
        return MeanOfSums(lambda outputs, targets: self.compute_label_sums(space, outputs, targets))

    def compute_label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the score of each label, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import append_count, compute_angles

        return append_count(self._score(compute_angles(outputs, targets)))

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)

    def _score(self, angles: torch.Tensor) -> torch.Tensor:
        return angles


class AngleError(_AngleMetric):
    """Mean angle between the predicted and the true direction, in degrees."""

    type: Literal["angle-error"] = "angle-error"
    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False


class WithinAngle(_AngleMetric):
    """Fraction of labels whose predicted direction is less than an angle away (Eigen and Fergus, 2015)."""

    type: Literal["within-angle"] = "within-angle"
    pooled: ClassVar[bool] = False
    degrees: Annotated[float, Field(gt=0, le=180)] = 11.25
    """The angle in degrees; usual are 11.25, 22.5 and 30."""

    def key(self) -> str:
        """Return the name with the angle, such as `within_11_25`."""
        return f"within_{self.degrees:g}".replace(".", "_")

    def _score(self, angles: torch.Tensor) -> torch.Tensor:
        return angles < self.degrees
