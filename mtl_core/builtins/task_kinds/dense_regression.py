"""The task kind `dense-regression`: one number, or one vector, per pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtl_core.builtins.task_kinds.dense_task import DenseTaskSpec
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import LossField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.dense_space import PixelNumberSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.data.number_space import NumberSpace
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "mae"}, {"type": "rmse"}]


class DenseRegression(DenseTaskSpec):
    """Regression per pixel, such as depth, or surface normals with `channels: 3`.

    A label is a mask of numbers: an array `(height, width)` or `(height, width, channels)` in a `.npy` file or in
    memory, or for one channel a greyscale PNG of 8 or 16 bits. Unlabelled pixels are NaN, or have the value
    `ignore_value` in all channels, and count for nothing.
    """

    type: Literal["dense-regression"] = "dense-regression"
    channels: PositiveInt = 1
    """Numbers per pixel: 1 for depth, 3 for surface normals."""
    ignore_value: float | None = None
    """The value of unlabelled pixels as stored in the masks, such as 0 for depth; NaN always marks them."""
    factor: PositiveFloat = 1.0
    """Factor that converts the values of masks to the units of the labels: 0.001 from millimetres to metres."""
    standardise: bool = True
    """Standardise labels by the mean and deviation of the training pixels. Use false for directions."""
    loss: LossField = default_type("squared-error")
    """The loss function, computed on standardised outputs and labels; `cosine` for directions."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics, in the units of the labels; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> PixelNumberSpace:
        """Fit mean and deviation to the training masks, which are read one at a time.

        Raises:
            MtlError: If a mask is missing, damaged, or contains infinite numbers.
        """
        from mtl_core.data.dense_space import convert_number_values, iterate_masks
        from mtl_core.data.streaming_moments import StreamingMoments

        moments = StreamingMoments(self.channels)
        labels, locations = label_statistics.training_labels, label_statistics.locations
        for values, name in iterate_masks(labels, locations, self.build_reader(self.channels)):
            numbers = convert_number_values(values, self.ignore_value, self.factor, name)
            moments.update(numbers.reshape(-1, self.channels))
        return self._build_space(moments.fit_space(self.channels > 1, self.standardise))

    def restore_space(self, state: Mapping[str, Any]) -> PixelNumberSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.number_space import NumberSpace

        return self._build_space(NumberSpace.from_state(state))

    def _build_space(self, numbers: NumberSpace) -> PixelNumberSpace:
        from mtl_core.data.dense_space import PixelNumberSpace

        return PixelNumberSpace(numbers, self.build_reader(self.channels), self.ignore_value, self.factor)

    def build_loss(self) -> nn.Module:
        """Build the loss that `loss` declares."""
        return self.loss.build()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.dense_regression import DenseRegressionKind
        from mtl_core.data.number_space import NumberSpace

        assert isinstance(space, NumberSpace)  # noqa: S101  made by this spec
        return DenseRegressionKind(space, self.build_loss(), self.metrics)
