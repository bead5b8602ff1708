"""The label spaces that metrics require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtl_core.errors import MtlError
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
