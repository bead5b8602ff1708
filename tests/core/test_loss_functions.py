"""Loss functions and losses per task, compared with values computed by hand."""

import math
from typing import Any

import pytest
import torch

from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.losses.focal import Focal
from mtl_core.builtins.losses.modules.regression import (
    RegressionLoss,
    absolute_error,
    huber_loss,
    squared_error,
)
from mtl_core.training.losses import TaskLosses

NAN = math.nan
OUTPUTS = torch.tensor([[1.0, 5.0], [0.0, -1.0], [2.0, 2.0]])
TARGETS = torch.tensor([[1.5, 2.0], [0.25, NAN], [NAN, NAN]])


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (squared_error, [(0.25 + 9) / 2, 0.0625, 0.0]),
        (absolute_error, [(0.5 + 3) / 2, 0.25, 0.0]),
        # Squared up to a distance of 2: 0.5²/2; beyond it 2 · (3 - 1).
        (lambda outputs, targets: huber_loss(outputs, targets, 2.0), [(0.125 + 4) / 2, 0.03125, 0.0]),
    ],
    ids=["squared", "absolute", "huber"],
)
def test_regression_losses_are_means_over_present_targets(distance: Any, expected: list[float]) -> None:
    assert RegressionLoss(distance)(OUTPUTS, TARGETS).tolist() == pytest.approx(expected)
    assert RegressionLoss(distance)(OUTPUTS[:2, :1], TARGETS[:2, 0]).tolist() == pytest.approx(
        [float(distance(torch.tensor(0.5), torch.tensor(0.0))), float(distance(torch.tensor(0.25), torch.tensor(0.0)))]
    )


def test_missing_targets_have_no_gradient() -> None:
    outputs = OUTPUTS.clone().requires_grad_()
    RegressionLoss(squared_error)(outputs, TARGETS).sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[-0.5, 3.0], [-0.5, 0.0], [0.0, 0.0]]


def test_targets_have_the_precision_of_the_outputs() -> None:
    losses = RegressionLoss(squared_error)(OUTPUTS, TARGETS.double())
    assert losses.dtype == torch.float32


def test_cross_entropy_with_label_smoothing() -> None:
    """Of two classes, the target has a share of 1 - 0.2 / 2."""
    outputs, targets = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([1])
    for smoothing, share in ((0.0, 1.0), (0.2, 0.9)):
        loss = CrossEntropy(label_smoothing=smoothing).build()(outputs, targets)
        assert loss.tolist() == pytest.approx([-share * math.log(0.75) - (1 - share) * math.log(0.25)])


def test_focal_loss() -> None:
    outputs, targets = torch.tensor([[0.0, math.log(3.0)], [0.0, 100.0]]), torch.tensor([1, 1])
    losses = Focal(gamma=2.0).build()(outputs, targets)
    assert losses.tolist() == pytest.approx([-math.log(0.75) * 0.25**2, 0.0])


def test_losses_of_the_first_tasks() -> None:
    losses = TaskLosses(torch.tensor([0.5, 0.25, 4.0]), torch.tensor([0, 2, 3]), torch.tensor([7, 0, 5, 1]))
    for n_tasks, values, tasks in (
        (4, [0.5, 0.25, 4.0], [0, 2, 3]),
        (3, [0.5, 0.25], [0, 2]),
        (2, [0.5], [0]),
        (0, [], []),
    ):
        first = losses.select_first(n_tasks)
        assert first.values.tolist() == values
        assert first.tasks.tolist() == tasks
        assert first.counts.tolist() == [7, 0, 5, 1][:n_tasks]
