"""R-Drop: two forward passes per batch, with a loss for the divergence of their outputs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812
from toy import CLASSES, task_block, toy_config, toy_network

from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.builtins.task_kinds.kl_divergence import compute_binary_divergence, compute_class_divergence
from mtl_core.data.class_space import DetectionSpace
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.losses import GroupLoss

NUMBERS = st.floats(-8, 8)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=5))
@settings(max_examples=50, deadline=None)
def test_divergence_is_the_mean_of_both_directions(pairs: list[tuple[float, float]]) -> None:
    first, second = (torch.tensor([column], dtype=torch.float64) for column in zip(*pairs, strict=True))
    first_log_probs, second_log_probs = first.log_softmax(-1), second.log_softmax(-1)
    forward_divergence = F.kl_div(second_log_probs, first_log_probs, log_target=True, reduction="sum")
    backward_divergence = F.kl_div(first_log_probs, second_log_probs, log_target=True, reduction="sum")
    assert float(compute_class_divergence(first, second)) == pytest.approx(
        float(forward_divergence + backward_divergence) / 2, abs=1e-9
    )


@given(NUMBERS, NUMBERS)
@settings(max_examples=50, deadline=None)
def test_divergence_of_log_odds_equals_that_of_two_classes(first: float, second: float) -> None:
    scores = [torch.tensor([[0.0, value]], dtype=torch.float64) for value in (first, second)]
    odds = compute_binary_divergence(*(score[:, 1] for score in scores))
    assert float(odds) == pytest.approx(float(compute_class_divergence(*scores)), abs=1e-9)
    assert float(odds) >= 0


def test_divergence_of_certain_predictions_is_finite() -> None:
    first, second = torch.tensor([200.0, -200.0]), torch.tensor([-200.0, -200.0])
    assert torch.isfinite(compute_binary_divergence(first, second)).all()


def test_loss_of_a_duplicated_batch() -> None:
    outputs = torch.randn(6, 1, 3)
    targets = torch.tensor([[0], [1], [-1]]).repeat(2, 1)
    mask = targets >= 0
    plain = GroupLoss(torch.nn.CrossEntropyLoss(reduction="none"), [None], compute_class_divergence, 0.0)
    with_r_drop = GroupLoss(torch.nn.CrossEntropyLoss(reduction="none"), [None], compute_class_divergence, 0.7)
    divergence = compute_class_divergence(outputs[:2, 0], outputs[3:5, 0]).mean()
    losses = [
        loss.compute_sums(outputs, targets, mask, is_duplicated=True).compute_means().values
        for loss in (plain, with_r_drop)
    ]
    assert float(losses[1]) == pytest.approx(float(losses[0] + 0.7 * divergence), abs=1e-6)
    assert torch.equal(
        with_r_drop.compute_sums(outputs, targets, mask).totals, plain.compute_sums(outputs, targets, mask).totals
    )


def test_classes_of_absent_labels_add_no_divergence() -> None:
    kind = DetectAndClassify().build(DetectionSpace(["good", "bad"], "absent"), {})
    absent = torch.tensor([[-30.0, 5.0, -5.0]]), torch.tensor([[-30.0, -5.0, 5.0]])
    present = tuple(row + torch.tensor([60.0, 0, 0]) for row in absent)
    divergences = [kind.compute_divergence(*pair) for pair in (absent, present)]
    assert divergences[0] is not None
    assert divergences[1] is not None
    assert float(divergences[0]) == pytest.approx(0, abs=1e-6)
    assert float(divergences[1]) > 5


def test_no_effect_without_dropout(tmp_path: Path) -> None:
    backbone = {"type": "mlp", "hidden_dims": [8]}
    weights = []
    for number, strength in enumerate((0.0, 2.0)):
        config = toy_config(tmp_path, backbone=backbone, training={"epochs": 2, "r_drop": strength})
        run = run_experiment(config, tmp_path / str(number)).path
        weights.append(load_run(run).network.state_dict())
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[0])


def test_reduces_the_variance_of_outputs_with_dropout(tmp_path: Path) -> None:
    spread = []
    for number, strength in enumerate((0.0, 4.0)):
        config = toy_config(
            tmp_path,
            data={"type": "toy", "rows": 120},
            backbone={"type": "mlp", "hidden_dims": [16], "dropout": 0.5},
            tasks=[task_block(kind={"type": "classification", "classes": CLASSES})],
            training={"epochs": 12, "r_drop": strength},
        )
        network = load_run(run_experiment(config, tmp_path / str(number)).path).network
        prepared = toy_network(config)[0]
        batch = prepared.examples.build_batch(np.arange(60), torch.device("cpu"))
        network.train()
        torch.manual_seed(0)
        with torch.no_grad():
            probabilities = torch.stack([network(batch.inputs)[0].outputs.softmax(-1) for _ in range(8)])
        spread.append(float(probabilities.std(dim=0).mean()))
    assert spread[1] < 0.8 * spread[0]
