"""Every task kind against explicit formulas: loss, metrics, decoding, baseline and saved state."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from one_task import Labels, OneTask
from sklearn.metrics import cohen_kappa_score, f1_score, r2_score

from mtl_core.errors import MtlError
from mtl_core.evaluation.scores import Scores, pool
from mtl_core.runs.results import json_text, scores_report

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
    chance = 1 / (1 + torch.exp(-output))
    return -torch.log(chance if true else 1 - chance)


def softmax_loss(outputs: torch.Tensor, place: int) -> torch.Tensor:
    return torch.log(torch.exp(outputs).sum()) - outputs[place]


def squared_loss(means: list[float], deviations: list[float]) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    def loss(outputs: torch.Tensor, label: Any) -> torch.Tensor:
        numbers = label if isinstance(label, list) else [label]
        parts = [
            (output - (number - mean) / deviation) ** 2
            for output, number, mean, deviation in zip(outputs, numbers, means, deviations, strict=True)
            if number is not None
        ]
        return torch.stack(parts).mean()

    return loss


NUMBERS = [10.0, 14.0, 12.0, 16.0]
PAIRS = [[1.0, 1000.0], [3.0, None], [None, 3000.0], [5.0, 8000.0]]

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


def outputs_for(case: Case, task: OneTask, fill: float = 0.0) -> torch.Tensor:
    """Draw random outputs, with `fill` where labels are missing."""
    mask = task.mask(case.labels)[:, 0]
    random = torch.randn(*mask.shape, case.width, generator=torch.Generator().manual_seed(3))
    return random.masked_fill(~mask.unsqueeze(-1), fill)


def labelled(case: Case, outputs: torch.Tensor) -> list[tuple[torch.Tensor, Any]]:
    """Return outputs and label of each labelled example or token."""
    pairs: list[tuple[torch.Tensor, Any]] = []
    for row, label in enumerate(case.labels):
        if label is not None and outputs.ndim == 3:
            pairs += [(outputs[row, place], one) for place, one in enumerate(label) if one is not None]  # type: ignore[arg-type]
        elif label is not None:
            pairs.append((outputs[row], label))
    return pairs


@pytest.mark.parametrize("junk", [0.0, NAN, float("inf")])
def test_the_loss_is_the_mean_over_labels_that_are_there(case: Case, junk: float) -> None:
    task = OneTask(case.kind, case.training)
    assert task.task.kind.outputs == case.width
    outputs = outputs_for(case, task, junk).requires_grad_()
    losses = task.losses(outputs, task.targets(case.labels))
    expected = torch.stack([case.loss(out, label) for out, label in labelled(case, outputs)]).mean()
    torch.testing.assert_close(losses.values, expected.detach().unsqueeze(0), atol=1e-5, rtol=1e-5)
    assert losses.tasks.tolist() == [0]
    assert losses.counts.tolist() == [sum(label is not None for label in case.labels)]
    losses.values.sum().backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert not outputs.grad[~task.mask(case.labels)[:, 0]].any()


def test_without_a_label_there_is_no_loss_and_nothing_is_measured(case: Case) -> None:
    task = OneTask(case.kind, case.training)
    targets = task.targets(case.labels)
    nothing = torch.full_like(targets, NAN if targets.is_floating_point() else -1)
    outputs = outputs_for(case, task, NAN)
    losses = task.losses(outputs, nothing)
    assert len(losses.values) == 0
    assert losses.counts.tolist() == [0]
    score = task.score(outputs, nothing)
    assert score.n == 0
    assert {(figure.value, figure.baseline, figure.n) for figure in score.figures.values()} == {(None, None, 0)}


def test_what_is_saved_of_a_kind_makes_it_again(case: Case) -> None:
    task = OneTask(case.kind, case.training)
    again = OneTask(case.kind, case.training)
    kind = task.task.declared.kind
    space = kind.restore_space(json.loads(json.dumps(task.task.space.state())))
    assert type(space) is type(task.task.space)
    assert space.state() == task.task.space.state()
    counts = json.loads(json.dumps(dict(task.task.counts)))
    object.__setattr__(again.task, "space", space)
    object.__setattr__(again.task, "kind", kind.build(space, counts))
    assert torch.equal(task.targets(case.labels).nan_to_num(-9), again.targets(case.labels).nan_to_num(-9))
    outputs = torch.randn(5, case.width)
    assert again.task.kind.decode(outputs) == task.task.kind.decode(outputs)
    wanted = task.targets(case.labels)
    junk = outputs_for(case, task)
    assert again.score(junk, wanted) == task.score(junk, wanted)


def test_losses_of_numbers_can_be_chosen() -> None:
    labels: Labels = [10.0, 30.0]
    outputs = torch.tensor([[0.5], [4.0]])  # standardised labels are -1 and 1, differences 1.5 and 3
    expected = {"squared-error": (2.25 + 9) / 2, "absolute-error": 2.25, "huber": (1.0 + 2.5) / 2}
    for name, value in expected.items():
        task = OneTask({"type": "regression", "loss": name}, labels)
        assert task.losses(outputs, task.targets(labels)).values.item() == pytest.approx(value)
    task = OneTask({"type": "regression", "loss": {"type": "huber", "delta": 2.0}}, labels)
    assert task.losses(outputs, task.targets(labels)).values.item() == pytest.approx((2.25 / 2 + 2 * (3 - 1)) / 2)


# ── decoding ──


def test_decoding_by_hand() -> None:
    binary = OneTask({"type": "binary", "classes": ["yes", "no"], "positive": "yes"}).task.kind
    assert [(p.label, round(p.probabilities["yes"], 6)) for p in binary.decode(torch.tensor([[2.0], [-1.0]]))] == [
        ("yes", round(1 / (1 + math.exp(-2)), 6)),
        ("no", round(1 / (1 + math.exp(1)), 6)),
    ]
    several = OneTask({"type": "multi-label", "classes": ["a", "b", "c"], "threshold": 0.7}).task.kind
    said = several.decode(torch.tensor([[1.0, 0.8, -3.0], [0.0, 0.0, 0.0]]))
    assert [p.label for p in said] == [["a"], []]  # 0.73, 0.69 and 0.05
    assert said[1].probabilities == {"a": 0.5, "b": 0.5, "c": 0.5}
    pairs = OneTask({"type": "regression", "outputs": 2}, [[10.0, 1.0], [30.0, 5.0]]).task.kind
    assert [p.label for p in pairs.decode(torch.tensor([[1.0, -2.0]]))] == [[30.0, -1.0]]
    one = OneTask("regression", [10.0, 30.0]).task.kind
    assert [p.label for p in one.decode(torch.tensor([[0.5]]))] == [25.0]


def test_an_ordinal_prediction_is_the_median_and_chances_are_chances() -> None:
    kind = OneTask({"type": "ordinal", "classes": ["low", "mid", "high", "top"]}).task.kind
    logit = [math.log(chance / (1 - chance)) for chance in (0.9, 0.6, 0.2)]
    crossed = [math.log(chance / (1 - chance)) for chance in (0.4, 0.7, 0.1)]  # a higher class cannot be likelier
    first, second = kind.decode(torch.tensor([logit, crossed]))
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
def test_too_few_classes_are_no_task(kind: str) -> None:
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


def figures(task: OneTask, outputs: torch.Tensor, labels: Labels) -> dict[str, Any]:
    return {name: figure.value for name, figure in task.score(outputs, task.targets(labels)).figures.items()}


def test_figures_of_lists_of_labels() -> None:
    labels: Labels = [["a", "b"], [], None, ["c"], ["a"], ["b", "c"]]
    task = OneTask({"type": "multi-label", "threshold": 0.6}, labels)
    outputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    outputs[3] = torch.tensor([-2.0, -2.0, 2.0])  # one row is correct
    rows = [0, 1, 3, 4, 5]
    gold = np.array([[name in labels[row] for name in "abc"] for row in rows])  # type: ignore[operator]
    said = torch.sigmoid(outputs[rows]).numpy() >= 0.6
    found = figures(task, outputs, labels)
    assert found["micro_f1"] == pytest.approx(f1_score(gold, said, average="micro"))
    assert found["exact_match"] == pytest.approx((gold == said).all(axis=1).mean())
    assert found["exact_match"] > 0


def test_f1_of_nothing_is_undefined_not_zero() -> None:
    task = OneTask({"type": "multi-label", "classes": ["a", "b"]}, [["a"]])
    silent = torch.full((3, 2), -5.0)
    report = json.loads(json_text(scores_report(_as_scores(task, silent, [[], [], None]))))["tasks"]["t"]
    assert report["micro_f1"] is None
    assert report["exact_match"] == 1.0
    assert figures(task, silent, [["a"], [], []])["micro_f1"] == 0.0


def _as_scores(task: OneTask, outputs: torch.Tensor, labels: Labels) -> Scores:
    score = task.score(outputs, task.targets(labels))
    return Scores({"t": score}, pool([score]))


def test_figures_of_numbers_are_in_the_labels_own_units() -> None:
    training = [100.0, 300.0, 500.0]
    task = OneTask("regression", training)
    labels: Labels = [100.0, None, 250.0, 700.0]
    outputs = torch.tensor([[0.5], [9.0], [-1.0], [1.0]])
    mean, deviation = np.mean(training), np.std(training)
    said, gold = mean + deviation * np.array([0.5, -1.0, 1.0]), np.array([100.0, 250.0, 700.0])
    found = figures(task, outputs, labels)
    assert found["mae"] == pytest.approx(np.abs(said - gold).mean(), rel=1e-6)
    assert found["rmse"] == pytest.approx(np.sqrt(((said - gold) ** 2).mean()), rel=1e-6)
    assert found["r2"] == pytest.approx(r2_score(gold, said), rel=1e-6)


def test_figures_of_several_numbers_leave_missing_ones_out() -> None:
    training = [[0.0, 1000.0], [2.0, 3000.0], [4.0, 5000.0]]
    task = OneTask({"type": "regression", "outputs": 2}, training)
    labels: Labels = [[1.0, None], [None, 2000.0], None, [3.0, 4000.0], [5.0, 1000.0]]
    outputs = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    mean, deviation = np.mean(training, axis=0), np.std(training, axis=0)
    said = mean + deviation * outputs.numpy()
    first, second = [0, 3, 4], [1, 3, 4]
    golds = [np.array([1.0, 3.0, 5.0]), np.array([2000.0, 4000.0, 1000.0])]
    differences = np.concatenate([said[first, 0] - golds[0], said[second, 1] - golds[1]])
    found = figures(task, outputs, labels)
    assert found["mae"] == pytest.approx(np.abs(differences).mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt((differences**2).mean()), rel=1e-5)
    shares = [r2_score(golds[0], said[first, 0]), r2_score(golds[1], said[second, 1])]
    assert found["r2"] == pytest.approx(np.mean(shares), rel=1e-5)


def test_the_explained_share_of_large_numbers_that_hardly_differ_is_exact() -> None:
    gold = 1e6 + np.arange(50) % 7
    task = OneTask("regression", gold.tolist())
    outputs = torch.from_numpy(((gold - gold.mean()) / gold.std() * 0.5).astype(np.float32)).unsqueeze(1)
    assert figures(task, outputs, gold.tolist())["r2"] == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize("labels", [[5.0], [5.0, 5.0, None]])
def test_the_explained_share_of_no_variance_is_undefined(labels: Labels) -> None:
    found = figures(OneTask("regression", NUMBERS), torch.zeros(len(labels), 1), labels)
    assert found["r2"] is None
    assert found["mae"] == pytest.approx(8.0, rel=1e-6)


def test_figures_of_ordered_classes() -> None:
    classes = ["1", "2", "3", "4"]
    task = OneTask({"type": "ordinal", "classes": classes}, classes)
    outputs = torch.randn(30, 3, generator=torch.Generator().manual_seed(2)) * 2
    labels: Labels = [None if row % 5 == 0 else classes[row % 4] for row in range(30)]
    rows = [row for row in range(30) if row % 5]
    above = np.minimum.accumulate(1 / (1 + np.exp(-outputs.numpy()[rows])), axis=1)
    said = (above > 0.5).sum(axis=1)  # number of thresholds that are exceeded with a probability above 0.5
    gold = np.array([row % 4 for row in rows])
    found = figures(task, outputs, labels)
    assert found["accuracy"] == pytest.approx((said == gold).mean())
    assert found["rank_distance"] == pytest.approx(np.abs(said - gold).mean())
    assert found["quadratic_kappa"] == pytest.approx(cohen_kappa_score(gold, said, weights="quadratic"), rel=1e-5)
    assert [p.label for p in task.task.kind.decode(outputs[rows])] == [classes[code] for code in said]


# ── baselines ──


def test_baselines_are_scored_like_any_other_answer() -> None:
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
        score = task.score(torch.randn(len(gold), task.task.kind.outputs), task.targets(gold))
        assert score.figures["accuracy"].baseline == pytest.approx(known.count(majority) / len(known)), kind
    tags = OneTask("token-tagging", [["x", "y", "y"], ["y"]])
    gold = [["x", "y", None], None, ["y", "y"]]
    assert tags.score(torch.randn(3, 3, 2), tags.targets(gold)).figures["accuracy"].baseline == pytest.approx(3 / 4)


def test_the_baseline_of_numbers_is_the_mean_of_the_training_labels() -> None:
    for standardise in (True, False):
        task = OneTask({"type": "regression", "standardise": standardise}, [1.0, 2.0, 6.0])
        score = task.score(torch.zeros(2, 1), task.targets([4.0, 8.0]))
        assert score.figures["mae"].baseline == pytest.approx((1 + 5) / 2), standardise
        assert score.figures["r2"].baseline == pytest.approx(1 - (1 + 25) / 8), standardise
    pairs = OneTask({"type": "regression", "outputs": 2}, PAIRS)
    gold: Labels = [[2.0, 5000.0], [4.0, 3000.0]]
    assert pairs.score(torch.zeros(2, 2), pairs.targets(gold)).figures["r2"].baseline == pytest.approx(0, abs=1e-6)


def test_the_baseline_of_lists_is_the_most_frequent_label_alone() -> None:
    task = OneTask("multi-label", [["a", "b"], ["b"], [], ["c"]])
    labels: Labels = [["b"], ["a", "b"], [], None]
    score = task.score(torch.zeros(4, 3), task.targets(labels))
    assert score.figures["exact_match"].baseline == pytest.approx(1 / 3)
    assert score.figures["micro_f1"].baseline == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


# ── targets from the input ──


IDS = torch.tensor([[0, 3, 5, -1], [2, -1, -1, -1], [5, 4, -1, -1]])
"""Indices into a vocabulary of six words, of which four are classes."""


def test_reconstruction_asks_for_every_frequent_word() -> None:
    task = OneTask({"type": "reconstruction", "top": 4}, vocabulary=[*WORDS, "x", "y"])
    kind = task.task.kind
    assert (kind.outputs, kind.hides) == (4, 0.0)
    targets = kind.input_targets(IDS, None)
    assert targets.tolist() == [[0, 3, -1, -1], [2, -1, -1, -1], [-1, -1, -1, -1]]
    outputs = torch.randn(3, 4, 4)
    expected = torch.stack(
        [softmax_loss(outputs[row, place], code) for row, place, code in [(0, 0, 0), (0, 1, 3), (1, 0, 2)]]
    )
    losses = task.losses(outputs, targets.unsqueeze(1))
    torch.testing.assert_close(losses.values, expected.mean().unsqueeze(0))
    assert losses.counts.tolist() == [2]
    score = task.score(outputs, targets.unsqueeze(1))
    assert score.n == 3
    assert score.figures["accuracy"].baseline == pytest.approx(1 / 3)  # "the"


def test_masked_tokens_asks_for_hidden_words_alone() -> None:
    kind = OneTask({"type": "masked-tokens", "top": 4, "share": 0.3}, vocabulary=[*WORDS, "x", "y"]).task.kind
    assert kind.hides == 0.3
    hidden = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    assert kind.input_targets(IDS, hidden).tolist() == [[-1, 3, -1, -1], [-1] * 4, [-1] * 4]
    said = kind.decode(torch.tensor([[0.0, 4.0, 1.0, 2.0]]))[0]
    assert said.label == "soup"
    assert list(said.probabilities) == ["soup", "good", "was", "the"]


def test_bag_of_words_asks_which_words_there_are() -> None:
    task = OneTask({"type": "bag-of-words", "top": 4}, vocabulary=[*WORDS, "x", "y"])
    twice = torch.cat([IDS, torch.tensor([[1, 1, 0, 5]])])
    targets = task.task.kind.input_targets(twice, None)
    assert targets.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [-1] * 4, [1, 1, 0, 0]]
    outputs = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 0.0], [NAN] * 4, [1.0, 2.0, 0.0, -1.0]])
    chances = torch.log_softmax(outputs, dim=1)
    expected = -torch.stack(
        [(chances[0, 0] + chances[0, 3]) / 2, chances[1, 2], (chances[3, 0] + chances[3, 1]) / 2]
    )
    losses = task.losses(outputs, targets.unsqueeze(1))
    torch.testing.assert_close(losses.values, expected.mean().unsqueeze(0))
    score = task.score(outputs, targets.unsqueeze(1))
    assert score.n == 3
    # As many of the likeliest words as the input has: {the, soup}, {was}, {soup, the}; baseline: "the", "soup", …
    assert score.figures["micro_f1"].value == pytest.approx(4 / 5)
    assert score.figures["micro_f1"].baseline == pytest.approx(3 / 5)


def test_a_task_that_predicts_its_input_needs_a_vocabulary() -> None:
    for kind in ("reconstruction", "masked-tokens", "bag-of-words"):
        with pytest.raises(
            MtlError, match=f"the kind '{kind}' predicts words of the input, but the encoder has no"
        ):
            OneTask(kind)
