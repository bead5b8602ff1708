"""Class weights of every kind of task with one class per label: the loss is the weighted mean over labels."""

import math
from typing import Any

import pytest
import torch
from one_task import OneTask

from mtl_core.builtins.class_weights import Balanced, ExplicitWeights, Unweighted
from mtl_core.errors import MtlError

LABELS = ["no", "yes", "yes", "no", "no"]


def compute_loss(kind: dict[str, Any], outputs: torch.Tensor, training: list[str] = LABELS) -> float:
    task = OneTask(kind, training)
    return task.compute_losses(outputs, task.encode_targets(LABELS)).values.item()


def sigmoid_loss(log_odds: float, label: str) -> float:
    return math.log(1 + math.exp(-log_odds if label == "yes" else log_odds))


LOG_ODDS = [0.3, -1.0, 2.0, 0.5, -0.25]


def weighted_mean(no: float, yes: float) -> float:
    weights = [{"no": no, "yes": yes}[label] for label in LABELS]
    losses = [sigmoid_loss(log_odds, label) for log_odds, label in zip(LOG_ODDS, LABELS, strict=True)]
    return sum(weight * loss for weight, loss in zip(weights, losses, strict=True)) / sum(weights)


@pytest.mark.parametrize("kind", ["binary", "classification", "ordinal"])
@pytest.mark.parametrize(
    ("class_weights", "expected"),
    [
        ("none", weighted_mean(1, 1)),
        ({"type": "explicit", "values": {"yes": 3.0}}, weighted_mean(1, 3)),
        ({"type": "explicit", "values": {"no": 0.5, "yes": 2.0}}, weighted_mean(0.5, 2)),
        ("balanced", weighted_mean(5 / (2 * 3), 5 / (2 * 2))),
        ({"type": "balanced", "power": 0.5}, weighted_mean((5 / 6) ** 0.5, (5 / 4) ** 0.5)),
    ],
)
def test_loss_of_two_classes_is_the_weighted_mean(kind: str, class_weights: Any, expected: float) -> None:
    """Two classes: binary, classification and ordinal tasks have the same loss for the same log-odds."""
    outputs = torch.tensor(LOG_ODDS).unsqueeze(1)
    if kind == "classification":
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    block = {"type": kind, "classes": ["no", "yes"], "class_weights": class_weights}
    assert compute_loss(block, outputs) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("positive", ["no", "yes"])
def test_weights_of_binary_classes_follow_their_names(positive: str) -> None:
    """With `positive: no`, the output is the log-odds of "no", and weights still belong to their classes."""
    sign = 1 if positive == "yes" else -1
    block = {"type": "binary", "positive": positive, "class_weights": {"type": "explicit", "values": {"yes": 3.0}}}
    outputs = sign * torch.tensor(LOG_ODDS).unsqueeze(1)
    assert compute_loss(block, outputs) == pytest.approx(weighted_mean(1, 3), rel=1e-5)


def test_weights_from_counts() -> None:
    counts = {"a": 3, "b": 1, "never": 0}
    assert Unweighted().compute_weights(counts) == [1.0, 1.0, 1.0]
    assert Balanced().compute_weights(counts) == pytest.approx([4 / (2 * 3), 4 / (2 * 1), 1.0])
    assert Balanced(power=2.0).compute_weights(counts) == pytest.approx([4 / 9, 4.0, 1.0])
    assert Balanced(power=0.0).compute_weights(counts) == [1.0, 1.0, 1.0]
    assert Balanced().compute_weights({"a": 0}) == [1.0]
    assert ExplicitWeights(values={"b": 0.0}).compute_weights(counts) == [1.0, 0.0, 1.0]


def test_weights_of_unknown_classes_are_refused() -> None:
    message = r"class_weights: 'nevr' is not a class; did you mean 'never'\? \(classes: a, never\)"
    with pytest.raises(MtlError, match=message):
        ExplicitWeights(values={"a": 1.0, "nevr": 2.0}).compute_weights({"a": 1, "never": 0})
