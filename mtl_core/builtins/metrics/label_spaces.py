"""The label spaces that metrics require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.number_space import NumberSpace


def require_class_space(space: LabelSpace, metric: MetricSpec) -> ClassSpace:
    """Return a label space with one class per label.

    Raises:
        MtlError: If it is of another kind.
    """
    from mtl_core.data.class_space import ClassSpace, MultiLabelSpace

    if not isinstance(space, ClassSpace) or isinstance(space, MultiLabelSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with one class per label")
    return space


def require_binary_space(space: LabelSpace, metric: MetricSpec) -> ClassSpace:
    """Return a label space with one of two classes per example or token.

    Raises:
        MtlError: If it is of another kind.
    """
    from mtl_core.data.class_space import ClassSpace, DetectionSpace, MultiLabelSpace

    message = f"the metric '{metric.type}' is for tasks with two classes, such as `kind: binary`"
    if not isinstance(space, ClassSpace) or isinstance(space, MultiLabelSpace | DetectionSpace):
        raise MtlError(message)
    if len(space.classes) != 2:
        raise MtlError(
            f"{message}; found {len(space.classes)} classes ({join_names(space.classes, 5)}), whose probabilities the "
            "metric 'log-loss' measures"
        )
    require_labels_without_pixels(space, metric)
    return space


def require_labels_without_pixels(space: LabelSpace, metric: MetricSpec) -> None:
    """Check that labels are per example or token.

    Raises:
        MtlError: If they are per pixel.
    """
    from mtl_core.data.dense_space import DenseSpace

    if isinstance(space, DenseSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with one label per example or token, not per pixel")


INDICATOR_THRESHOLD = 0.5
"""Threshold above which an indicator is positive."""


def require_multilabel_space(space: LabelSpace, metric: MetricSpec) -> MultiLabelSpace:
    """Return a label space of any number of labels.

    Raises:
        MtlError: If it is of another kind.
    """
    from mtl_core.data.class_space import MultiLabelSpace

    if not isinstance(space, MultiLabelSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with any number of labels")
    return space


def require_number_space(space: LabelSpace, metric: MetricSpec) -> NumberSpace:
    """Return a label space of numbers.

    Raises:
        MtlError: If it is of another kind.
    """
    from mtl_core.data.number_space import NumberSpace

    if not isinstance(space, NumberSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks whose labels are numbers")
    return space
