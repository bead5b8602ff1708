"""Masked losses of custom training loops: values, missing labels, shapes, and messages for wrong inputs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import mtl_core as mtl
from mtl_core.training.non_finite import NonFiniteLossError

NAN = math.nan
KINDS: dict[str, tuple[object, tuple[int, ...], torch.Tensor, Callable[..., torch.Tensor]]] = {
    "classification": (
        "classification",
        (4, 3),
        torch.tensor([2, -100, 0, -1]),
        F.cross_entropy,
    ),
    "int32": (
        mtl.Classification(loss="focal"),  # type: ignore[arg-type]  # a type name is a loss
        (4, 3),
        torch.tensor([2, -100, 0, -1], dtype=torch.int32),
        lambda outputs, targets: (
            (F.cross_entropy(outputs, targets.long(), reduction="none"),)[0]
            .mul((1 - torch.exp(-F.cross_entropy(outputs, targets.long(), reduction="none"))) ** 2)
            .mean()
        ),
    ),
    "binary": (
        {"type": "binary"},
        (4, 1),
        torch.tensor([1.0, NAN, 0.0, NAN]),
        lambda outputs, targets: F.binary_cross_entropy_with_logits(outputs[:, 0], targets),
    ),
    "ordinal": (
        mtl.Ordinal,
        (4, 2),
        torch.tensor([2, -1, 0, -1]),
        lambda outputs, targets: F.binary_cross_entropy_with_logits(
            outputs, (targets.unsqueeze(1) > torch.arange(2)).float()
        ),
    ),
    "regression": (
        "regression",
        (4,),
        torch.tensor([1.5, NAN, -2.0, NAN]),
        F.mse_loss,
    ),
    "column of numbers": (
        mtl.Regression(loss={"type": "huber"}),  # type: ignore[arg-type]  # a block is a loss
        (4, 1),
        torch.tensor([[1.5], [NAN], [-2.0], [NAN]]),
        F.huber_loss,
    ),
    "several numbers": (
        mtl.Regression(outputs=2),
        (4, 2),
        torch.tensor([[1.5, 0.0], [NAN, NAN], [-2.0, 1.0], [NAN, NAN]]),
        F.mse_loss,
    ),
    "multi-label": (
        "multi-label",
        (4, 2),
        torch.tensor([[1, 0], [-1, -1], [0, 0], [-1, -1]]),
        lambda outputs, targets: F.binary_cross_entropy_with_logits(outputs, targets.float()),
    ),
    "tokens": (
        "token-tagging",
        (4, 5, 3),
        torch.tensor([[2, 1, 0, 0, 1], [-100] * 5, [0, 1, 2, 0, 1], [-100] * 5]),
        lambda outputs, targets: F.cross_entropy(outputs.flatten(0, 1), targets.flatten()),
    ),
    "pixels": (
        "segmentation",
        (4, 2, 2, 3),
        torch.tensor([[[2, 1], [0, 0]], [[-1] * 2] * 2, [[0, 1], [1, 1]], [[-1] * 2] * 2]),
        lambda outputs, targets: F.cross_entropy(outputs.movedim(-1, 1), targets),
    ),
    "normals": (
        {"type": "dense-regression", "channels": 3, "loss": "absolute-error"},
        (4, 2, 2, 3),
        torch.tensor([1.0, NAN, 2.0, NAN]).reshape(4, 1, 1, 1).expand(4, 2, 2, 3),
        F.l1_loss,
    ),
    "torch classes": (
        nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1),
        (4, 3),
        torch.tensor([2, -100, 0, -100]),
        lambda outputs, targets: F.cross_entropy(outputs, targets, label_smoothing=0.1),
    ),
    "torch pixels": (
        nn.CrossEntropyLoss(reduction="none"),
        (4, 3, 2, 2),
        torch.tensor([[[2, 1], [0, 0]], [[-100] * 2] * 2, [[0, 1], [1, 1]], [[-100] * 2] * 2]),
        F.cross_entropy,
    ),
    "torch numbers": (
        nn.L1Loss(reduction="none"),
        (4, 2),
        torch.tensor([[1.5, 0.0], [NAN, NAN], [-2.0, 1.0], [NAN, NAN]]),
        F.l1_loss,
    ),
    "torch booleans": (
        nn.BCEWithLogitsLoss(reduction="none"),
        (2,),
        torch.tensor([True, False]),
        lambda outputs, targets: F.binary_cross_entropy_with_logits(outputs, targets.float()),
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", KINDS)
def test_loss_is_the_mean_over_labelled_examples(name: str, dtype: torch.dtype) -> None:
    kind, shape, targets, reference = KINDS[name]
    outputs = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    labelled = torch.tensor([0, 2])[: 2 if len(outputs) == 4 else 0]
    if not len(labelled):
        labelled = torch.arange(len(outputs))
    if targets.is_floating_point():
        targets = targets.to(dtype)
    poisoned = outputs.clone()
    missing = [row for row in range(len(outputs)) if row not in labelled.tolist()]
    poisoned[missing] = NAN  # the outputs of unlabelled examples reach neither the loss nor the gradients
    poisoned.requires_grad_()
    expected_outputs = outputs[labelled].requires_grad_()
    expected = reference(expected_outputs, targets[labelled])
    losses = mtl.MaskedLosses({"task": kind})({"task": poisoned}, {"task": targets})
    assert losses["task"].dtype == dtype
    torch.testing.assert_close(losses["task"].double(), expected.double())
    [expected_gradient] = torch.autograd.grad(expected, [expected_outputs])
    losses["task"].backward()
    assert poisoned.grad is not None
    torch.testing.assert_close(poisoned.grad[labelled], expected_gradient)
    assert not poisoned.grad[missing].any()


def test_single_missing_numbers_and_indicators_are_left_out() -> None:
    criterion = mtl.MaskedLosses({"numbers": mtl.Regression(outputs=2), "tags": "multi-label"})
    outputs = torch.tensor([[0.5, 3.0], [1.0, 2.0]])
    indicators = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    losses = criterion({"numbers": outputs, "tags": outputs}, {"numbers": indicators * 2, "tags": indicators})
    assert losses["numbers"].item() == pytest.approx((1.5**2 + (1.0 + 0.0) / 2) / 2)
    entropy = F.binary_cross_entropy_with_logits(outputs, indicators.nan_to_num(), reduction="none")
    assert losses["tags"].item() == pytest.approx(((entropy[0, 0] + entropy[1].mean()) / 2).item())
    assert losses.counts == {"numbers": 2, "tags": 2}


def test_masks_select_labels_that_count() -> None:
    criterion = mtl.MaskedLosses({"topic": "classification", "numbers": mtl.Regression(outputs=2)})
    outputs = {"topic": torch.randn(3, 4), "numbers": torch.zeros(3, 2)}
    targets = {"topic": torch.tensor([1, 2, -100]), "numbers": torch.tensor([[1.0, 5.0], [2.0, 2.0], [9.0, 9.0]])}
    masks = {
        "topic": torch.tensor([False, True, True]),
        "numbers": torch.tensor([[True, False], [True, True], [False, False]]),
    }
    losses = criterion(outputs, targets, masks)
    assert losses.counts == {"topic": 1, "numbers": 2}
    torch.testing.assert_close(losses["topic"], F.cross_entropy(outputs["topic"][1:2], torch.tensor([2])))
    assert losses["numbers"].item() == pytest.approx((1.0 + 4.0) / 2)


def test_class_weights_give_the_weighted_mean_of_torch() -> None:
    weights = [1.0, 3.0, 0.5]
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, -100])
    losses = mtl.MaskedLosses({"topic": "classification"}, {"topic": weights})({"topic": outputs}, {"topic": targets})
    torch.testing.assert_close(losses["topic"], F.cross_entropy(outputs, targets, torch.tensor(weights)))


def test_tasks_are_objects_with_name_kind_and_weight() -> None:
    @dataclass
    class Declared:
        name: str
        kind: object

    criterion = mtl.MaskedLosses(
        [Declared("topic", "classification"), mtl.Task("rating", "regression", weight=0.5), mtl.Task("off", weight=0)]
    )
    assert criterion.weights == {"topic": 1.0, "rating": 0.5, "off": 0.0}
    outputs = {name: torch.randn(2, 1 + 2 * (name != "rating"), requires_grad=True) for name in criterion.names}
    targets = {"topic": torch.tensor([0, 1]), "rating": torch.tensor([0.0, 1.0]), "off": torch.tensor([0, 1])}
    losses = criterion(outputs, targets)
    assert losses.unlabelled == ["off"]
    mtl.backward(losses)
    [expected] = torch.autograd.grad(F.mse_loss(outputs["rating"][:, 0], targets["rating"]), [outputs["rating"]])
    torch.testing.assert_close(outputs["rating"].grad, expected * 0.5)


def test_task_without_a_label_has_no_loss() -> None:
    criterion = mtl.MaskedLosses({"topic": "classification", "rating": "regression"})
    outputs = {"topic": torch.randn(2, 3), "rating": torch.randn(2)}
    losses = criterion(outputs, {"topic": torch.tensor([-100, -1]), "rating": None})
    assert dict(losses) == {}
    assert losses.counts == {"topic": 0, "rating": 0}
    mtl.backward(losses, "pcgrad")  # nothing to do


def test_non_finite_loss_names_task_and_examples() -> None:
    criterion = mtl.MaskedLosses({"rating": "regression"})
    outputs = torch.tensor([1.0, math.inf, 2.0, NAN])
    with pytest.raises(NonFiniteLossError, match="the loss of task 'rating' is not finite: look at example 1, 3") as e:
        criterion({"rating": outputs}, {"rating": torch.zeros(4)})
    assert (e.value.task, e.value.indices) == ("rating", [1, 3])


CLASSES, CODES = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
WRONG_TASKS = [
    ({}, "expected at least one task"),
    ("topic", "expected a dictionary from task name to its kind, found 'topic'"),
    (["topic"], "task 'topic': expected a task kind, such as 'classification', or a torch loss; found None"),
    ([3], "expected names, or objects with the attributes `name` and `kind`; found 3"),
    ([mtl.Task("a"), mtl.Task("a")], "two tasks have the name 'a'"),
    ({"topic": "clasification"}, "task 'topic': unknown task kind 'clasification'; did you mean 'classification'"),
    ({"topic": 3}, "task 'topic': expected a task kind: a spec, or one of .*; found 3"),
    ({"topic": {"type": "regression", "los": 1}}, "unknown key 'los'; did you mean 'loss'"),
    ({"topic": nn.CrossEntropyLoss()}, "CrossEntropyLoss has reduction='mean', which includes missing labels; use"),
    ({"topic": nn.MSELoss}, r'expected a loss module, found the class; use MSELoss\(reduction="none"\)'),
    ({"words": "masked-tokens"}, "task 'words': the task kind 'masked-tokens' has no loss outside of a run"),
    (
        {"topic": {"type": "classification", "class_weights": "balanced"}},
        r"'balanced' are computed from the labels .* use MaskedLosses\(tasks, class_weights=\{'topic'",
    ),
]


@pytest.mark.parametrize(("tasks", "message"), WRONG_TASKS)
def test_wrong_tasks_are_refused(tasks: object, message: str) -> None:
    with pytest.raises(mtl.MtlError, match=message):
        mtl.MaskedLosses(tasks)  # type: ignore[arg-type]


def test_class_weights_of_an_unknown_task_are_refused() -> None:
    with pytest.raises(mtl.MtlError, match="class_weights: there is no task 'tpic'; did you mean 'topic'"):
        mtl.MaskedLosses({"topic": "classification"}, {"tpic": [1.0, 2.0]})


WRONG_BATCHES = [
    ("classification", {"tpic": CLASSES}, {"topic": CODES}, "outputs: task 'topic' is missing; did you mean 'tpic'"),
    ("classification", {"topic": CLASSES}, {}, "targets: task 'topic' is missing"),
    ("classification", CLASSES, {"topic": CODES}, "outputs: expected a dictionary from task name to tensor, found a"),
    (
        "classification",
        {"topic": CLASSES},
        {"topic": [0, 1]},
        "targets: expected a tensor for task 'topic', found a li",
    ),
    (
        "classification",
        {"topic": CLASSES},
        {"topic": CODES[:3]},
        r"outputs \(4, 3\) .* and targets \(3,\) .* do not fit",
    ),
    ("classification", {"topic": CLASSES[None]}, {"topic": CODES}, "do not fit; the kind 'classification' has outputs"),
    ("classification", {"topic": CLASSES}, {"topic": CODES + 1}, "the loss cannot be computed from outputs .* out of"),
    ("classification", {"topic": CLASSES}, {"topic": CODES.float()}, r"targets \(4,\) of torch.float32"),
    ("binary", {"topic": CLASSES}, {"topic": CODES}, "a binary task has one output, the log-odds; found 3"),
    ("regression", {"topic": CLASSES}, {"topic": CODES.float()}, "3 outputs for 1 numbers per label"),
    ("regression", {"topic": CLASSES[:, 0]}, {"topic": CODES}, "numbers must be float targets, in which NaN marks"),
    (mtl.Regression(outputs=2), {"topic": CLASSES[:, :1]}, {"topic": CLASSES[:, :2]}, "1 outputs, but 2 numbers per"),
    (nn.MSELoss(reduction="none"), {"topic": CLASSES[:, :1]}, {"topic": CODES.float()}, "the loss cannot be computed"),
    (nn.MSELoss(reduction="none"), {"topic": CLASSES[:, 0]}, {"topic": CODES}, "MSELoss compares numbers, so targets"),
    (nn.MSELoss(reduction="none"), {"topic": CLASSES}, {"topic": CLASSES[:, :2]}, "do not fit; expected equal shapes"),
]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("kind", "outputs", "targets", "message"), WRONG_BATCHES)
def test_wrong_batches_are_refused(kind: object, outputs: object, targets: object, message: str) -> None:
    with pytest.raises(mtl.MtlError, match=message):
        mtl.MaskedLosses({"topic": kind})(outputs, targets)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"topic": torch.ones(4)}, r"expected a mask of torch.bool and shape \(4,\).*found \(4,\) of torch.float32"),
        ({"topic": torch.ones(3, dtype=torch.bool)}, r"shape \(4,\), True for valid labels; found \(3,\)"),
        ({"tpic": torch.ones(4, dtype=torch.bool)}, "masks: there is no task 'tpic'; did you mean 'topic'"),
    ],
)
def test_wrong_masks_are_refused(masks: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(mtl.MtlError, match=message):
        mtl.MaskedLosses({"topic": "classification"})({"topic": CLASSES}, {"topic": CODES}, masks)
