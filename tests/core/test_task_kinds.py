"""Every task kind against explicit formulas: loss, metrics, decoding, baseline and saved state."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from one_task import Labels, OneTask
from sklearn.metrics import cohen_kappa_score, f1_score, r2_score

from mtl_core.artifacts.json_files import dump_json
from mtl_core.errors import MtlError
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scores import Scores
from mtl_core.runs.result_files import build_scores_report

NAN = float("nan")
WORDS = ["the", "soup", "was", "good"]


@dataclass
class Case:
    """A kind with labels and an explicit loss.

    Attributes:
        kind: The block `kind:`.
        training: The training labels, which define classes, scale and baseline.
        labels: The labels for loss and metrics; some are missing.
        width: Number of outputs per example or token.
        loss: Loss of one example or token, computed from its outputs and label.
    """

    kind: Any
    training: Labels
    labels: Labels
    width: int
    loss: Callable[[torch.Tensor, Any], torch.Tensor]


def sigmoid_loss(output: torch.Tensor, true: bool) -> torch.Tensor:
    probability = 1 / (1 + torch.exp(-output))
    return -torch.log(probability if true else 1 - probability)


def softmax_loss(outputs: torch.Tensor, class_index: int) -> torch.Tensor:
    return torch.log(torch.exp(outputs).sum()) - outputs[class_index]


def squared_loss(means: list[float], deviations: list[float]) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    def loss(outputs: torch.Tensor, label: Any) -> torch.Tensor:
        numbers = label if isinstance(label, list) else [label]
        squared_errors = [
            (output - (number - mean) / deviation) ** 2
            for output, number, mean, deviation in zip(outputs, numbers, means, deviations, strict=True)
            if number is not None
        ]
        return torch.stack(squared_errors).mean()

    return loss


NUMBERS = [10.0, 14.0, 12.0, 16.0]
PAIRS: Labels = [[1.0, 1000.0], [3.0, None], [None, 3000.0], [5.0, 8000.0]]

CASES: dict[str, Case] = {
    "binary": Case(
        "binary", ["no", "yes", "no"], ["yes", None, "no", "no", None], 1,
        lambda out, label: sigmoid_loss(out[0], label == "yes"),
    ),
    "classification": Case(
        "classification", ["b", "a", "c", "b"], ["c", "a", None, "b"], 3,
        lambda out, label: softmax_loss(out, "abc".index(label)),
    ),
    "multi-label": Case(
        "multi-label", [["a"], ["b", "c"], []], [["c", "a"], [], None, ["b"]], 3,
        lambda out, label: torch.stack([sigmoid_loss(out[c], "abc"[c] in label) for c in range(3)]).mean(),
    ),
    "regression": Case(
        "regression", NUMBERS, [10.0, None, 13.0, -5], 1, squared_loss([13.0], [math.sqrt(5)])
    ),
    "regression as it is": Case(
        {"type": "regression", "standardise": False}, NUMBERS, [10.0, None, 13.0], 1, squared_loss([0.0], [1.0])
    ),
    "regression of two": Case(
        {"type": "regression", "outputs": 2}, PAIRS, [[2.0, None], None, [None, 1.0], [4.0, 4000.0]], 2,
        squared_loss([3.0, 4000.0], [math.sqrt(8 / 3), math.sqrt(26_000_000 / 3)]),
    ),
    "ordinal": Case(
        "ordinal", ["1", "2", "10", "2"], ["10", None, "1", "2"], 2,
        lambda out, label: torch.stack(
            [sigmoid_loss(o, ["1", "2", "10"].index(label) > step) for step, o in enumerate(out)]
        ).mean(),
    ),
    "token-tagging": Case(
        "token-tagging", [["x", "y"], ["x", None]], [["y", None, "x"], None, ["x"]], 2,
        lambda out, label: softmax_loss(out, "xy".index(label)),
    ),
    "token-regression": Case(
        "token-regression", [[1.0, 5.0], [None, 3.0]], [[2.0, None], None, [7.0, 1.0]], 1,
        squared_loss([3.0], [math.sqrt(8 / 3)]),
    ),
}  # fmt: skip


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def sample_outputs(case: Case, task: OneTask, fill: float = 0.0) -> torch.Tensor:
    """Draw random outputs, with `fill` where labels are missing."""
    mask = task.compute_mask(case.labels)[:, 0]
    random = torch.randn(*mask.shape, case.width, generator=torch.Generator().manual_seed(3))
    return random.masked_fill(~mask.unsqueeze(-1), fill)


def list_labelled_outputs(case: Case, outputs: torch.Tensor) -> list[tuple[torch.Tensor, Any]]:
    """Return outputs and label of each labelled example or token."""
    pairs: list[tuple[torch.Tensor, Any]] = []
    for row, label in enumerate(case.labels):
        if label is not None and outputs.ndim == 3:
            assert isinstance(label, Sequence)
            pairs += [
                (outputs[row, index], token_label) for index, token_label in enumerate(label) if token_label is not None
            ]
        elif label is not None:
            pairs.append((outputs[row], label))
    return pairs


@pytest.mark.parametrize("junk", [0.0, NAN, float("inf")])
def test_loss_is_the_mean_over_labels(case: Case, junk: float) -> None:
    task = OneTask(case.kind, case.training)
    assert task.task.kind.n_outputs == case.width
    outputs = sample_outputs(case, task, junk).requires_grad_()
    losses = task.compute_losses(outputs, task.encode_targets(case.labels))
    labelled_outputs = list_labelled_outputs(case, outputs)
    expected = torch.stack([case.loss(out, label) for out, label in labelled_outputs]).mean()
    torch.testing.assert_close(losses.values, expected.detach().unsqueeze(0), atol=1e-5, rtol=1e-5)
    assert losses.tasks.tolist() == [0]
    assert losses.counts.tolist() == [len(labelled_outputs)]
    losses.values.sum().backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert not outputs.grad[~task.compute_mask(case.labels)[:, 0]].any()


def test_without_labels_there_is_no_loss_and_no_score(case: Case) -> None:
    task = OneTask(case.kind, case.training)
    targets = task.encode_targets(case.labels)
    missing_targets = torch.full_like(targets, NAN if targets.is_floating_point() else -1)
    outputs = sample_outputs(case, task, NAN)
    losses = task.compute_losses(outputs, missing_targets)
    assert len(losses.values) == 0
    assert losses.counts.tolist() == [0]
    score = task.compute_score(outputs, missing_targets)
    assert score.n == 0
    assert {(metric.value, metric.baseline, metric.n) for metric in score.metrics.values()} == {(None, None, 0)}


def test_saved_state_restores_the_kind(case: Case) -> None:
    task = OneTask(case.kind, case.training)
    restored_task = OneTask(case.kind, case.training)
    kind = task.task.config.kind
    space = kind.restore_space(json.loads(json.dumps(task.task.space.state())))
    assert type(space) is type(task.task.space)
    assert space.state() == task.task.space.state()
    counts = json.loads(json.dumps(dict(task.task.class_counts)))
    object.__setattr__(restored_task.task, "space", space)
    object.__setattr__(restored_task.task, "kind", kind.build(space, counts))
    assert torch.equal(
        task.encode_targets(case.labels).nan_to_num(-9), restored_task.encode_targets(case.labels).nan_to_num(-9)
    )
    outputs = torch.randn(5, case.width)
    assert restored_task.task.kind.decode(outputs) == task.task.kind.decode(outputs)
    targets = task.encode_targets(case.labels)
    junk = sample_outputs(case, task)
    assert restored_task.compute_score(junk, targets) == task.compute_score(junk, targets)


def test_regression_losses() -> None:
    labels: Labels = [10.0, 30.0]
    outputs = torch.tensor([[0.5], [4.0]])  # standardised labels are -1 and 1, differences 1.5 and 3
    expected = {"squared-error": (2.25 + 9) / 2, "absolute-error": 2.25, "huber": (1.0 + 2.5) / 2}
    for name, value in expected.items():
        task = OneTask({"type": "regression", "loss": name}, labels)
        assert task.compute_losses(outputs, task.encode_targets(labels)).values.item() == pytest.approx(value)
    task = OneTask({"type": "regression", "loss": {"type": "huber", "delta": 2.0}}, labels)
    assert task.compute_losses(outputs, task.encode_targets(labels)).values.item() == pytest.approx(
        (2.25 / 2 + 2 * (3 - 1)) / 2
    )


# ── decoding ──


def test_decoding_formulas() -> None:
    binary = OneTask({"type": "binary", "classes": ["yes", "no"], "positive": "yes"}).task.kind
    assert [(p.label, round(p.probabilities["yes"], 6)) for p in binary.decode(torch.tensor([[2.0], [-1.0]]))] == [
        ("yes", round(1 / (1 + math.exp(-2)), 6)),
        ("no", round(1 / (1 + math.exp(1)), 6)),
    ]
    multi_label = OneTask({"type": "multi-label", "classes": ["a", "b", "c"], "threshold": 0.7}).task.kind
    predictions = multi_label.decode(torch.tensor([[1.0, 0.8, -3.0], [0.0, 0.0, 0.0]]))
    assert [p.label for p in predictions] == [["a"], []]  # 0.73, 0.69 and 0.05
    assert predictions[1].probabilities == {"a": 0.5, "b": 0.5, "c": 0.5}
    vector_kind = OneTask({"type": "regression", "outputs": 2}, [[10.0, 1.0], [30.0, 5.0]]).task.kind
    assert [p.label for p in vector_kind.decode(torch.tensor([[1.0, -2.0]]))] == [[30.0, -1.0]]
    scalar_kind = OneTask("regression", [10.0, 30.0]).task.kind
    assert [p.label for p in scalar_kind.decode(torch.tensor([[0.5]]))] == [25.0]


def test_ordinal_prediction_is_the_median_with_valid_probabilities() -> None:
    kind = OneTask({"type": "ordinal", "classes": ["low", "mid", "high", "top"]}).task.kind
    logits = [math.log(chance / (1 - chance)) for chance in (0.9, 0.6, 0.2)]
    crossed_logits = [
        math.log(chance / (1 - chance)) for chance in (0.4, 0.7, 0.1)
    ]  # a higher class cannot be likelier
    first, second = kind.decode(torch.tensor([logits, crossed_logits]))
    assert first.label == "high"
    assert first.probabilities == pytest.approx({"low": 0.1, "mid": 0.3, "high": 0.4, "top": 0.2}, abs=1e-6)
    assert second.label == "low"
    assert second.probabilities == pytest.approx({"low": 0.6, "mid": 0.0, "high": 0.3, "top": 0.1}, abs=1e-6)
    # The median, not the mode, of the probabilities 0.4, 0.25 and 0.35.
    third = kind.decode(torch.tensor([[math.log(0.6 / 0.4), math.log(0.35 / 0.65), -20.0]]))[0]
    assert third.label == "mid"


def test_classes_of_numbers_are_ordered_as_numbers() -> None:
    assert OneTask("ordinal", ["10", "2", "1", "2"]).task.space.classes == ("1", "2", "10")
    with pytest.raises(MtlError, match=r"task 't': the classes are not numbers \(high, low\), so their order must"):
        OneTask("ordinal", ["low", "high"])


@pytest.mark.parametrize("kind", ["binary", "classification", "ordinal", "token-tagging"])
def test_too_few_classes_are_refused(kind: str) -> None:
    label: Any = ["1", "1"] if kind == "token-tagging" else "1"
    with pytest.raises(MtlError, match="task 't': classes in the training labels: 1; a task needs 2 or more"):
        OneTask(kind, [label, label])


def test_a_binary_task_has_two_classes() -> None:
    with pytest.raises(MtlError, match=r"3 classes in the training labels \(a, b, c\); a binary task has two"):
        OneTask("binary", ["a", "b", "c"])
    with pytest.raises(MtlError, match=r"kind\.positive: 'yess' is not a class; did you mean 'yes'\?"):
        OneTask({"type": "binary", "positive": "yess"}, ["yes", "no"])
    assert OneTask({"type": "binary", "positive": "a"}, ["a", "b"]).task.space.classes == ("b", "a")


# ── metrics ──


def compute_metrics(task: OneTask, outputs: torch.Tensor, labels: Labels) -> dict[str, Any]:
    return {
        name: metric.value for name, metric in task.compute_score(outputs, task.encode_targets(labels)).metrics.items()
    }


def test_multi_label_metrics() -> None:
    labels: Labels = [["a", "b"], [], None, ["c"], ["a"], ["b", "c"]]
    task = OneTask({"type": "multi-label", "threshold": 0.6}, labels)
    outputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    outputs[3] = torch.tensor([-2.0, -2.0, 2.0])  # one row is correct
    rows = [0, 1, 3, 4, 5]
    gold = np.array([[name in labels[row] for name in "abc"] for row in rows])  # type: ignore[operator]
    predicted = torch.sigmoid(outputs[rows]).numpy() >= 0.6
    metric_values = compute_metrics(task, outputs, labels)
    assert metric_values["micro_f1"] == pytest.approx(f1_score(gold, predicted, average="micro"))
    assert metric_values["exact_match"] == pytest.approx((gold == predicted).all(axis=1).mean())
    assert metric_values["exact_match"] > 0


def test_f1_without_positives_is_undefined() -> None:
    task = OneTask({"type": "multi-label", "classes": ["a", "b"]}, [["a"]])
    negative_outputs = torch.full((3, 2), -5.0)
    report = json.loads(dump_json(build_scores_report(_build_scores(task, negative_outputs, [[], [], None]))))["tasks"][
        "t"
    ]
    assert report["micro_f1"] is None
    assert report["exact_match"] == 1.0
    assert compute_metrics(task, negative_outputs, [["a"], [], []])["micro_f1"] == 0.0


def _build_scores(task: OneTask, outputs: torch.Tensor, labels: Labels) -> Scores:
    score = task.compute_score(outputs, task.encode_targets(labels))
    return Scores({"t": score}, pool_scores([score]))


def test_regression_metrics_are_in_units_of_the_labels() -> None:
    training = [100.0, 300.0, 500.0]
    task = OneTask("regression", training)
    labels: Labels = [100.0, None, 250.0, 700.0]
    outputs = torch.tensor([[0.5], [9.0], [-1.0], [1.0]])
    mean, deviation = np.mean(training), np.std(training)
    predicted, gold = mean + deviation * np.array([0.5, -1.0, 1.0]), np.array([100.0, 250.0, 700.0])
    metric_values = compute_metrics(task, outputs, labels)
    assert metric_values["mae"] == pytest.approx(np.abs(predicted - gold).mean(), rel=1e-6)
    assert metric_values["rmse"] == pytest.approx(np.sqrt(((predicted - gold) ** 2).mean()), rel=1e-6)
    assert metric_values["r2"] == pytest.approx(r2_score(gold, predicted), rel=1e-6)


def test_regression_metrics_ignore_missing_numbers() -> None:
    training = [[0.0, 1000.0], [2.0, 3000.0], [4.0, 5000.0]]
    task = OneTask({"type": "regression", "outputs": 2}, training)
    labels: Labels = [[1.0, None], [None, 2000.0], None, [3.0, 4000.0], [5.0, 1000.0]]
    outputs = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    mean, deviation = np.mean(training, axis=0), np.std(training, axis=0)
    predicted = mean + deviation * outputs.numpy()
    first, second = [0, 3, 4], [1, 3, 4]
    golds = [np.array([1.0, 3.0, 5.0]), np.array([2000.0, 4000.0, 1000.0])]
    differences = np.concatenate([predicted[first, 0] - golds[0], predicted[second, 1] - golds[1]])
    metric_values = compute_metrics(task, outputs, labels)
    assert metric_values["mae"] == pytest.approx(np.abs(differences).mean(), rel=1e-5)
    assert metric_values["rmse"] == pytest.approx(np.sqrt((differences**2).mean()), rel=1e-5)
    r2_scores = [r2_score(golds[0], predicted[first, 0]), r2_score(golds[1], predicted[second, 1])]
    assert metric_values["r2"] == pytest.approx(np.mean(r2_scores), rel=1e-5)


def test_r2_of_large_nearly_constant_numbers_is_exact() -> None:
    gold = 1e6 + np.arange(50) % 7
    task = OneTask("regression", gold.tolist())
    outputs = torch.from_numpy(((gold - gold.mean()) / gold.std() * 0.5).astype(np.float32)).unsqueeze(1)
    assert compute_metrics(task, outputs, gold.tolist())["r2"] == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize("labels", [[5.0], [5.0, 5.0, None]])
def test_r2_without_variance_is_undefined(labels: Labels) -> None:
    metric_values = compute_metrics(OneTask("regression", NUMBERS), torch.zeros(len(labels), 1), labels)
    assert metric_values["r2"] is None
    assert metric_values["mae"] == pytest.approx(8.0, rel=1e-6)


def test_ordinal_metrics() -> None:
    classes = ["1", "2", "3", "4"]
    task = OneTask({"type": "ordinal", "classes": classes}, classes)
    outputs = torch.randn(30, 3, generator=torch.Generator().manual_seed(2)) * 2
    labels: Labels = [None if row % 5 == 0 else classes[row % 4] for row in range(30)]
    rows = [row for row in range(30) if row % 5]
    exceedance = np.minimum.accumulate(1 / (1 + np.exp(-outputs.numpy()[rows])), axis=1)
    predicted = (exceedance > 0.5).sum(axis=1)  # number of thresholds that are exceeded with a probability above 0.5
    gold = np.array([row % 4 for row in rows])
    metric_values = compute_metrics(task, outputs, labels)
    assert metric_values["accuracy"] == pytest.approx((predicted == gold).mean())
    assert metric_values["rank_distance"] == pytest.approx(np.abs(predicted - gold).mean())
    assert metric_values["quadratic_kappa"] == pytest.approx(
        cohen_kappa_score(gold, predicted, weights="quadratic"), rel=1e-5
    )
    assert [p.label for p in task.task.kind.decode(outputs[rows])] == [classes[code] for code in predicted]


# ── baselines ──


def test_majority_baselines() -> None:
    training = {
        "binary": ["yes", "no", "yes"],
        "classification": ["b", "a", "b", "c"],
        "ordinal": ["3", "2", "2", "1"],
    }
    for kind, labels in training.items():
        task = OneTask(kind, labels)
        majority = max(set(labels), key=labels.count)
        gold: Labels = [*sorted(set(labels)), majority, None]
        known = [label for label in gold if label is not None]
        score = task.compute_score(torch.randn(len(gold), task.task.kind.n_outputs), task.encode_targets(gold))
        assert score.metrics["accuracy"].baseline == pytest.approx(known.count(majority) / len(known)), kind
    tags = OneTask("token-tagging", [["x", "y", "y"], ["y"]])
    gold = [["x", "y", None], None, ["y", "y"]]
    assert tags.compute_score(torch.randn(3, 3, 2), tags.encode_targets(gold)).metrics[
        "accuracy"
    ].baseline == pytest.approx(3 / 4)


def test_baseline_of_numbers_is_the_mean_of_the_training_labels() -> None:
    for standardise in (True, False):
        task = OneTask({"type": "regression", "standardise": standardise}, [1.0, 2.0, 6.0])
        score = task.compute_score(torch.zeros(2, 1), task.encode_targets([4.0, 8.0]))
        assert score.metrics["mae"].baseline == pytest.approx((1 + 5) / 2), standardise
        assert score.metrics["r2"].baseline == pytest.approx(1 - (1 + 25) / 8), standardise
    pairs = OneTask({"type": "regression", "outputs": 2}, PAIRS)
    gold: Labels = [[2.0, 5000.0], [4.0, 3000.0]]
    assert pairs.compute_score(torch.zeros(2, 2), pairs.encode_targets(gold)).metrics["r2"].baseline == pytest.approx(
        0, abs=1e-6
    )


def test_multi_label_baseline_is_the_most_frequent_label() -> None:
    task = OneTask("multi-label", [["a", "b"], ["b"], [], ["c"]])
    labels: Labels = [["b"], ["a", "b"], [], None]
    score = task.compute_score(torch.zeros(4, 3), task.encode_targets(labels))
    assert score.metrics["exact_match"].baseline == pytest.approx(1 / 3)
    assert score.metrics["micro_f1"].baseline == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


# ── targets from the input ──


TOKEN_IDS = torch.tensor([[0, 3, 5, -1], [2, -1, -1, -1], [5, 4, -1, -1]])
"""Indices into a vocabulary of six words, of which four are classes."""


def test_reconstruction_targets_are_all_frequent_words() -> None:
    task = OneTask({"type": "reconstruction", "vocab_size": 4}, vocabulary=[*WORDS, "x", "y"])
    kind = task.task.kind
    assert (kind.n_outputs, kind.mask_ratio) == (4, 0.0)
    targets = kind.build_input_targets(TOKEN_IDS, None)
    assert targets.tolist() == [[0, 3, -1, -1], [2, -1, -1, -1], [-1, -1, -1, -1]]
    outputs = torch.randn(3, 4, 4)
    expected = torch.stack(
        [softmax_loss(outputs[row, index], code) for row, index, code in [(0, 0, 0), (0, 1, 3), (1, 0, 2)]]
    )
    losses = task.compute_losses(outputs, targets.unsqueeze(1))
    torch.testing.assert_close(losses.values, expected.mean().unsqueeze(0))
    assert losses.counts.tolist() == [3]
    score = task.compute_score(outputs, targets.unsqueeze(1))
    assert score.n == 3
    assert score.metrics["accuracy"].baseline == pytest.approx(1 / 3)  # "the"


def test_masked_tokens_targets_are_masked_words() -> None:
    kind = OneTask(
        {"type": "masked-tokens", "vocab_size": 4, "mask_ratio": 0.3}, vocabulary=[*WORDS, "x", "y"]
    ).task.kind
    assert kind.mask_ratio == 0.3
    token_mask = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    assert kind.build_input_targets(TOKEN_IDS, token_mask).tolist() == [[-1, 3, -1, -1], [-1] * 4, [-1] * 4]
    prediction = kind.decode(torch.tensor([[0.0, 4.0, 1.0, 2.0]]))[0]
    assert prediction.label == "soup"
    assert list(prediction.probabilities) == ["soup", "good", "was", "the"]


def test_bag_of_words_targets_are_the_words_of_the_input() -> None:
    task = OneTask({"type": "bag-of-words", "vocab_size": 4}, vocabulary=[*WORDS, "x", "y"])
    token_ids = torch.cat([TOKEN_IDS, torch.tensor([[1, 1, 0, 5]])])
    targets = task.task.kind.build_input_targets(token_ids, None)
    assert targets.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [-1] * 4, [1, 1, 0, 0]]
    outputs = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 0.0], [NAN] * 4, [1.0, 2.0, 0.0, -1.0]])
    log_probabilities = torch.log_softmax(outputs, dim=1)
    expected = -torch.stack(
        [
            (log_probabilities[0, 0] + log_probabilities[0, 3]) / 2,
            log_probabilities[1, 2],
            (log_probabilities[3, 0] + log_probabilities[3, 1]) / 2,
        ]
    )
    losses = task.compute_losses(outputs, targets.unsqueeze(1))
    torch.testing.assert_close(losses.values, expected.mean().unsqueeze(0))
    score = task.compute_score(outputs, targets.unsqueeze(1))
    assert score.n == 3
    # As many of the likeliest words as the input has: {the, soup}, {was}, {soup, the}; baseline: "the", "soup", …
    assert score.metrics["micro_f1"].value == pytest.approx(4 / 5)
    assert score.metrics["micro_f1"].baseline == pytest.approx(3 / 5)


def test_self_supervised_kind_needs_a_vocabulary() -> None:
    for kind in ("reconstruction", "masked-tokens", "bag-of-words"):
        with pytest.raises(MtlError, match=f"the kind '{kind}' predicts words of the input, but the encoder has no"):
            OneTask(kind)
