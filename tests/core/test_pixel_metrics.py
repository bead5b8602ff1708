"""Metrics and losses of labels per pixel against values computed by hand."""

import math

import pytest
import torch

from mtl_core.builtins.losses.cosine import CosineDistance
from mtl_core.builtins.metrics.angle_error import AngleError, WithinAngle
from mtl_core.builtins.metrics.label_sums import compute_angles
from mtl_core.builtins.metrics.mean_iou import MeanIoU, PixelAccuracy
from mtl_core.builtins.metrics.relative_error import AbsRel
from mtl_core.data.class_space import ClassSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.evaluation.metric_accumulator import MetricAccumulator
from mtl_core.plugins.specs import MetricSpec

NUMBERS = NumberSpace([0.0], [1.0], vector=False)
VECTORS = NumberSpace([0.0] * 3, [1.0] * 3, vector=True)
CLASSES = ClassSpace(["road", "sky", "tree", "car"])


def compute(spec: MetricSpec, space: ClassSpace | NumberSpace, *batches: tuple[torch.Tensor, torch.Tensor]) -> float:
    accumulator = MetricAccumulator(spec, space)
    for outputs, targets in batches:
        accumulator.update(outputs, targets)
    value = accumulator.compute()
    assert isinstance(value, float)
    return value


def score_classes(predicted: list[int]) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(predicted), 4).float()


def test_mean_iou_adds_up_images_and_leaves_out_absent_classes() -> None:
    first = (score_classes([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
    second = (score_classes([0, 2]), torch.tensor([0, 0]))
    # road: 2 of 4, sky: 2 of 3, tree: predicted only, 0 of 1, car: absent.
    assert compute(MeanIoU(), CLASSES, first, second) == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert compute(PixelAccuracy(), CLASSES, first, second) == 4 / 6


def test_relative_error_leaves_out_missing_labels_and_labels_of_zero() -> None:
    outputs, targets = torch.tensor([3.0, 1.0, 5.0, 2.0]), torch.tensor([2.0, -4.0, 0.0, math.nan])
    assert compute(AbsRel(), NUMBERS, (outputs, targets)) == pytest.approx((1 / 2 + 5 / 4) / 2)
    metric = AbsRel().build(NUMBERS)
    metric.update(outputs, targets)
    assert float(metric.compute()) == pytest.approx(0.875)


def test_angles_are_exact_from_tiny_to_opposite() -> None:
    angle = 1e-5
    outputs = torch.tensor([[2.0, 0, 0], [1, 0, 0], [-3, 0, 0], [math.cos(angle), math.sin(angle), 0]]).double()
    targets = torch.tensor([[0.0, 1, 0], [5, 0, 0], [1, 0, 0], [1, 0, 0]]).double()
    expected = [90, 0, 180, math.degrees(angle)]
    assert compute_angles(outputs, targets).tolist() == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert compute(AngleError(), VECTORS, (outputs, targets)) == pytest.approx(sum(expected) / 4)
    assert compute(WithinAngle(degrees=90), VECTORS, (outputs, targets)) == 0.5  # less than, as in the literature
    assert WithinAngle().key() == "within_11_25"


def test_cosine_loss_ignores_lengths_and_missing_numbers() -> None:
    outputs = torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, -3, 0], [1, 5, 0]], requires_grad=True)
    targets = torch.tensor([[7.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, math.nan, 0]])
    losses = CosineDistance().build()(outputs, targets)
    assert losses.tolist() == pytest.approx([0, 1 - math.sqrt(0.5), 2, 0], abs=1e-6)
    losses.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
