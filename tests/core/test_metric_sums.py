"""Metrics from sums equal torchmetrics."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.builtins import mtl_metrics
from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.data.class_space import ClassSpace, DetectionSpace, MultiLabelSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.evaluation.metric_accumulator import MetricAccumulator, compute_value, has_sums
from mtl_core.plugins.specs import MetricSpec

CLASSES = ("bad", "fair", "good")
SPACES: dict[str, LabelSpace] = {
    "classes": ClassSpace(CLASSES),
    "detection": DetectionSpace(CLASSES[:2], "absent"),
    "lists": MultiLabelSpace(CLASSES),
    "numbers": NumberSpace([1.5], [2.0], False),
    "pairs": NumberSpace([1.5, -3.0], [2.0, 1.0], True),
}
OPTIONS: dict[str, Any] = {"restricted-accuracy": {"name": "two_way", "classes": ["good", "bad"]}}
ALL_METRICS: list[MetricSpec] = [spec(**OPTIONS.get(spec.model_fields["type"].default, {})) for spec in mtl_metrics()]
METRICS = [metric for metric in ALL_METRICS if has_sums(metric)]


def _supports(metric: MetricSpec, space: LabelSpace) -> bool:
    try:
        metric.check_space(space)
    except MtlError:
        return False
    return True


CASES = [
    pytest.param(metric, name, id=f"{metric.type}-{name}")
    for metric in METRICS
    for name, space in SPACES.items()
    if _supports(metric, space)
]


def _draw_labels(draw: st.DataObject, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw outputs and targets, few enough for values that are undefined; integers, so that labels are often equal."""
    n = draw.draw(st.integers(1, 8))
    width = {"numbers": 1, "pairs": 2}.get(name, len(CLASSES))
    values = st.lists(st.integers(-2, 2), min_size=n * width, max_size=n * width)
    outputs = torch.tensor(draw.draw(values), dtype=torch.float32).reshape(n, width)
    if name == "lists":
        return (outputs > 0).float(), (torch.tensor(draw.draw(values)).reshape(n, width) > 0).long()
    if name not in ("numbers", "pairs"):
        return outputs, torch.tensor(draw.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    targets = torch.tensor(draw.draw(values), dtype=torch.float64).reshape(n, width)
    if name == "numbers":
        return outputs[:, 0].double() / 4, targets[:, 0] / 4
    # A pair has at least one number, else it would not be a label.
    missing = torch.tensor(draw.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return outputs.double() / 4, targets.index_put((missing, torch.tensor([1])), torch.tensor(float("nan")).double())


@pytest.mark.parametrize(("metric", "name"), CASES)
@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_sums_equal_torchmetrics(metric: MetricSpec, name: str, draw: st.DataObject) -> None:
    space = SPACES[name]
    outputs, targets = _draw_labels(draw, name)
    rows = metric.select_rows(space, targets)
    outputs, targets = outputs[rows], targets[rows]
    reference, accumulator = metric.build(space), MetricAccumulator(metric, space)
    for start in range(0, len(targets), 3):
        reference.update(outputs[start : start + 3], targets[start : start + 3])
        accumulator.update(outputs[start : start + 3], targets[start : start + 3])
    assert accumulator.sums is not None or not len(targets)
    expected, actual = compute_value(metric, reference, len(targets)), accumulator.compute()
    if expected is None or actual is None:
        assert actual is expected
    else:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
        assert metric.scalar or actual == expected  # counts are integers


def test_every_metric_has_a_case() -> None:
    assert {metric.type for metric in METRICS} == {case.values[0].type for case in CASES}  # type: ignore[union-attr]


def test_subclass_with_another_metric_does_not_use_inherited_sums() -> None:
    class Half(Accuracy):
        """Returns 0.5."""

        def build(self, space: LabelSpace) -> Any:
            """Build a metric whose value is constant."""
            metric = super().build(space)
            metric.compute = lambda: torch.tensor(0.5)  # type: ignore[method-assign]
            return metric

    accumulator = MetricAccumulator(Half(), SPACES["classes"])
    accumulator.update(torch.eye(3), torch.arange(3))
    assert accumulator.compute() == 0.5
    assert accumulator.sums is None
