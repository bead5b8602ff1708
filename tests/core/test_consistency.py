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
from mtl_core.builtins.task_kinds.divergence import between_classes, between_odds
from mtl_core.data.label_space import DetectionSpace
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.training.losses import GroupLoss

NUMBERS = st.floats(-8, 8)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_divergence_is_the_mean_of_both_ways(pairs: list[tuple[float, float]]) -> None:
    first, second = (torch.tensor([column], dtype=torch.float64) for column in zip(*pairs, strict=True))
    one, other = first.log_softmax(-1), second.log_softmax(-1)
    there = F.kl_div(other, one, log_target=True, reduction="sum")
    back = F.kl_div(one, other, log_target=True, reduction="sum")
    assert float(between_classes(first, second)) == pytest.approx(float(there + back) / 2, abs=1e-9)


@given(NUMBERS, NUMBERS)
@settings(max_examples=50, deadline=None)
def test_log_odds_are_two_classes(first: float, second: float) -> None:
    scores = [torch.tensor([[0.0, value]], dtype=torch.float64) for value in (first, second)]
    odds = between_odds(*(score[:, 1] for score in scores))
    assert float(odds) == pytest.approx(float(between_classes(*scores)), abs=1e-9)
    assert float(odds) >= 0


def test_certain_answers_stay_finite() -> None:
    first, second = torch.tensor([200.0, -200.0]), torch.tensor([-200.0, -200.0])
    assert torch.isfinite(between_odds(first, second)).all()


def test_the_loss_of_a_batch_that_stands_there_twice() -> None:
    outputs = torch.randn(6, 1, 3)
    targets = torch.tensor([[0], [1], [-1]]).repeat(2, 1)
    mask = targets >= 0
    plain = GroupLoss(torch.nn.CrossEntropyLoss(reduction="none"), [None], between_classes, 0.0)
    agreeing = GroupLoss(torch.nn.CrossEntropyLoss(reduction="none"), [None], between_classes, 0.7)
    apart = between_classes(outputs[:2, 0], outputs[3:5, 0]).mean()
    losses = [loss.sums(outputs, targets, mask, twice=True).means().values for loss in (plain, agreeing)]
    assert float(losses[1]) == pytest.approx(float(losses[0] + 0.7 * apart), abs=1e-6)
    assert torch.equal(agreeing.sums(outputs, targets, mask).totals, plain.sums(outputs, targets, mask).totals)


def test_what_is_not_found_need_not_agree_on_its_class() -> None:
    kind = DetectAndClassify().build(DetectionSpace(["good", "bad"], "absent"), {})
    absent = torch.tensor([[-30.0, 5.0, -5.0]]), torch.tensor([[-30.0, -5.0, 5.0]])
    there = tuple(row + torch.tensor([60.0, 0, 0]) for row in absent)
    found = [kind.divergence(*pair) for pair in (absent, there)]
    assert found[0] is not None
    assert found[1] is not None
    assert float(found[0]) == pytest.approx(0, abs=1e-6)
    assert float(found[1]) > 5


def test_without_dropout_it_changes_nothing(tmp_path: Path) -> None:
    backbone = {"type": "mlp", "hidden_dims": [8]}
    weights = []
    for number, strength in enumerate((0.0, 2.0)):
        config = toy_config(tmp_path, backbone=backbone, training={"epochs": 2, "consistency": strength})
        run = run_experiment(config, tmp_path / str(number)).path
        weights.append(load_run(run).network.state_dict())
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[0])


def test_with_dropout_answers_come_to_agree(tmp_path: Path) -> None:
    spread = []
    for number, strength in enumerate((0.0, 4.0)):
        config = toy_config(
            tmp_path,
            data={"type": "toy", "rows": 120},
            backbone={"type": "mlp", "hidden_dims": [16], "dropout": 0.5},
            tasks=[task_block(kind={"type": "classification", "classes": CLASSES})],
            training={"epochs": 12, "consistency": strength},
        )
        network = load_run(run_experiment(config, tmp_path / str(number)).path).network
        prepared = toy_network(config)[0]
        batch = prepared.examples.batch(np.arange(60), torch.device("cpu"))
        network.train()
        torch.manual_seed(0)
        with torch.no_grad():
            said = torch.stack([network(batch.inputs)[0].outputs.softmax(-1) for _ in range(8)])
        spread.append(float(said.std(dim=0).mean()))
    assert spread[1] < 0.8 * spread[0]
