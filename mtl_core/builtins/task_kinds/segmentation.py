"""The task kind `segmentation`: one of several classes per pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.dense_task import DenseTaskSpec
from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, LossField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.dense_space import PixelClassSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind

MAX_CLASSES = 1000
"""Largest number of classes: one output per class and pixel is computed."""


def _default_metrics() -> Any:
    return [{"type": "mean-iou"}, {"type": "pixel-accuracy"}]


class Segmentation(DenseTaskSpec):
    """Semantic segmentation: one of several classes per pixel, with softmax and cross entropy (Long et al., 2015).

    A label is a mask whose values are the indices of classes: a greyscale or palette PNG of 8 or 16 bits, an array
    `(height, width)` in a `.npy` file, or such an array in memory. Unlabelled pixels have a value of `ignore_index`
    (or NaN), and count for nothing.
    """

    type: Literal["segmentation"] = "segmentation"
    classes: Annotated[int, Field(ge=2, le=MAX_CLASSES)] | list[str] | None = None
    """The names of the classes in the order of their values from 0, or their number; null means as many as the masks
    of the training and validation data contain."""
    ignore_index: int | list[int] = [-1, 255]
    """The value of unlabelled pixels, or several; as in `torch.nn.functional.cross_entropy`."""
    loss: LossField = default_type("cross-entropy")
    """The loss function."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_classes(self) -> Segmentation:
        n_classes = len(self.classes) if isinstance(self.classes, list) else self.classes
        if n_classes is None:
            return self
        if not 2 <= n_classes <= MAX_CLASSES:
            raise ValueError(f"classes: found {n_classes}, expected 2 to {MAX_CLASSES}")
        ignored = [value for value in self._ignored_values if 0 <= value < n_classes]
        if ignored:
            raise ValueError(
                f"ignore_index: {ignored[0]} is also the value of a class, since there are {n_classes} classes"
            )
        return self

    @property
    def _ignored_values(self) -> list[int]:
        return self.ignore_index if isinstance(self.ignore_index, list) else [self.ignore_index]

    def build_space(self, label_statistics: LabelStatistics) -> PixelClassSpace:
        """Count the pixels of each class in the training masks, which are read one at a time.

        Raises:
            MtlError: If a mask is missing, damaged, or has another value.
        """
        import numpy as np

        from mtl_core.data.dense_space import PixelClassSpace, iterate_masks

        names = self._name_classes(label_statistics)
        space = PixelClassSpace(names, self.build_reader(), self._ignored_values, {}, label_statistics.excluded_labels)
        counts = np.zeros(len(names), dtype=np.int64)
        labels, locations = label_statistics.training_labels, label_statistics.locations
        for values, name in iterate_masks(labels, locations, space.reader):
            codes = space.encode_mask(values, name)
            counts += np.bincount(codes[codes >= 0], minlength=len(names))
        if not counts.any():
            raise MtlError("no pixel of the training masks has a class")
        space.class_counts = dict(zip(names, counts.tolist(), strict=True))
        return space

    def _name_classes(self, label_statistics: LabelStatistics) -> list[str]:
        """Return the names of the classes; the indices as texts if only their number is known."""
        from mtl_core.data.dense_space import convert_class_values, iterate_masks

        if isinstance(self.classes, list):
            return list(self.classes)
        n_classes = self.classes or 0
        if self.classes is None:
            for values, name in iterate_masks(label_statistics.all_labels, (), self.build_reader()):
                codes, is_missing = convert_class_values(values, self._ignored_values, name)
                if not is_missing.all():
                    n_classes = max(n_classes, int(codes[~is_missing].max()) + 1)
            if not 2 <= n_classes <= MAX_CLASSES:
                raise MtlError(
                    f"the masks contain {n_classes} classes, expected 2 to {MAX_CLASSES}; set `kind.classes`, or "
                    f"`kind.ignore_index` if a value means that a pixel is unlabelled "
                    f"(now: {join_names(map(str, self._ignored_values))})"
                )
        return [str(index) for index in range(n_classes)]

    def restore_space(self, state: Mapping[str, Any]) -> PixelClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.dense_space import PixelClassSpace

        return PixelClassSpace(
            state["classes"], self.build_reader(), self._ignored_values, state["pixels"], state["excluded"]
        )

    def build_loss(self) -> nn.Module:
        """Build the loss that `loss` declares."""
        return self.loss.build()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.segmentation import SegmentationKind

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return SegmentationKind(space.classes, self.build_loss(), weights, self.metrics, counts)
