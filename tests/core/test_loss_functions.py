"""Loss functions and losses per task, compared with values computed by hand."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from one_task import OneTask

from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.losses.focal import Focal
from mtl_core.builtins.losses.modules.regression import (
    RegressionLoss,
    absolute_error,
    huber_loss,
    squared_error,
)
from mtl_core.builtins.losses.regression import AbsoluteError, Huber, SquaredError
from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.losses import GroupLoss, LossSums, TaskLosses, build_group_loss

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


@pytest.mark.parametrize(
    ("spec", "expected"),
    [(SquaredError(), 9.0), (AbsoluteError(), 3.0), (Huber(), 2.5), (Huber(delta=2.0), 4.0)],
    ids=["squared", "absolute", "huber", "huber 2"],
)
def test_regression_losses_of_an_experiment(spec: Any, expected: float) -> None:
    assert spec.build()(torch.tensor([[5.0]]), torch.tensor([2.0])).tolist() == [expected]


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


# ── sums over ranks ──


@dataclass(frozen=True)
class SecondRank(DistributedContext):
    """The rank of this process, and the sums of the other rank."""

    world_size: int = 2
    other: torch.Tensor = field(default_factory=lambda: torch.zeros(0))

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach() + self.other


def test_sums_over_ranks_have_the_gradient_of_this_rank() -> None:
    totals = torch.tensor([3.0, 4.0], requires_grad=True)
    sums = LossSums(totals, torch.tensor([2.0, 0.0]), torch.tensor([2, 0]))
    other = torch.tensor([[5.0, 6.0], [2.0, 3.0], [1.0, 3.0]])
    reduced = sums.all_reduce(SecondRank(other=other))
    losses = reduced.compute_means()
    assert losses.values.tolist() == pytest.approx([8 / 4, 10 / 3])
    assert losses.counts.tolist() == [3, 3]
    losses.values.sum().backward()  # type: ignore[no-untyped-call]
    assert totals.grad is not None
    assert totals.grad.tolist() == pytest.approx([1 / 4, 1 / 3])
    assert sums.all_reduce(DistributedContext()) is sums


# ── labels per token ──


def test_mask_of_excluded_labels_per_token_and_task() -> None:
    """Two examples, two tasks, three tokens; "x" is excluded, also where it is a class."""
    spaces = [ClassSpace(["a", "x"]), ClassSpace(["a", "b", "c"], ["x"])]
    mask = ExcludeLabels(labels=["x"]).build(spaces)
    targets = torch.tensor([[[0, 1, -1], [0, 2, 3]], [[1, 0, 0], [-1, 3, 1]]])
    assert mask(targets).tolist() == [
        [[True, False, False], [True, True, False]],
        [[False, True, True], [False, False, True]],
    ]
    assert mask(targets[:, :, 0]).tolist() == [[True, True], [False, False]]


def test_mask_of_several_excluded_labels() -> None:
    """The codes of excluded labels are above those of the classes."""
    mask = ExcludeLabels(labels=["x", "y", "z"]).build([ClassSpace(["a"], ["x", "y", "z"])])
    assert mask(torch.tensor([[0], [1], [2], [3]])).tolist() == [[True], [False], [False], [False]]


def test_mask_of_excluded_labels_needs_one_class_per_label() -> None:
    for space in (MultiLabelSpace(["a"]), NumberSpace.fit([1.0, 2.0], vector=False, standardise=True)):
        with pytest.raises(MtlError, match="for tasks with one class per label"):
            ExcludeLabels().build([space])


def build_squared_loss(r_drop: float = 0.0) -> GroupLoss:
    return GroupLoss(
        RegressionLoss(squared_error), [None], lambda first, second: (first - second).square().mean(dim=1), r_drop
    )


def test_divergence_of_tokens_that_only_one_pass_masks() -> None:
    """A token that is masked in one pass only has a loss, but no divergence; the divergence counts for both passes."""
    outputs = torch.tensor([[1.0, 2.0, 5.0], [3.0, 8.0, 5.5]]).view(2, 1, 3, 1)
    targets = torch.tensor([[1.0, 2.0, NAN], [3.0, NAN, NAN]]).view(2, 1, 3)
    mask = torch.tensor([[True, True, False], [True, False, False]]).view(2, 1, 3)
    sums = build_squared_loss(r_drop=0.5).compute_sums(outputs, targets, mask, is_duplicated=True)
    assert sums.totals.tolist() == [0.5 * 2 * (1 - 3) ** 2]  # all losses are 0
    assert sums.norms.tolist() == [3.0]


def test_divergence_of_half_precision_is_computed_in_full_precision() -> None:
    outputs = torch.tensor([1.0, 1.0078125]).bfloat16().view(2, 1, 1)
    targets, mask = outputs.float().view(2, 1), torch.ones(2, 1, dtype=torch.bool)
    sums = build_squared_loss(r_drop=1.0).compute_sums(outputs, targets, mask, is_duplicated=True)
    assert sums.totals.dtype == torch.float32
    assert sums.totals.tolist() == pytest.approx([2 * 0.0078125**2], rel=1e-6)


def test_examples_with_a_non_finite_token() -> None:
    outputs = torch.tensor([[1.0, math.inf, 0.0], [NAN, 1.0, 1.0], [1.0, 1.0, 1.0]]).view(3, 1, 3, 1).expand(3, 2, 3, 1)
    mask = torch.ones(3, 2, 3, dtype=torch.bool)
    mask[:, 1, 0] = False
    result = build_squared_loss().find_non_finite(outputs, torch.zeros(3, 2, 3), mask)
    assert result.tolist() == [[True, True], [True, False], [False, False]]
    assert build_squared_loss().find_non_finite(outputs[:, :, 0], torch.zeros(3, 2), mask[:, :, 0]).tolist() == [
        [False, False],
        [True, False],
        [False, False],
    ]


def test_observed_mask_selects_labels_that_are_not_missing() -> None:
    assert Observed().build([ClassSpace(["a", "b"], ["x"])])(torch.tensor([[0, -1], [1, 0]])).tolist() == [
        [True, False],
        [True, True],
    ]
    assert Observed().list_excluded_labels() == frozenset()
    assert ExcludeLabels(labels=["x", "y"]).list_excluded_labels() == {"x", "y"}


# ── sums of a head group ──


def build_code_loss(*class_weights: list[float] | None) -> GroupLoss:
    """Return a loss that equals the output, whatever the class is, for one task per list of class weights."""

    class Output(torch.nn.Module):
        def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return outputs[:, 0]

    return GroupLoss(Output(), [None if weights is None else torch.tensor(weights) for weights in class_weights])


EXAMPLE_OUTPUTS = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]).unsqueeze(2)
EXAMPLE_TARGETS = torch.tensor([[0, 1], [1, 0], [1, 1]])
EXAMPLE_MASK = torch.tensor([[True, True], [False, True], [True, False]])


@pytest.mark.parametrize(
    ("class_weights", "label_weights", "totals", "norms"),
    [
        ([None, None], None, [5.0, 30.0], [2.0, 2.0]),
        ([[0.5, 3.0], None], None, [0.5 * 1 + 3 * 4, 30.0], [3.5, 2.0]),
        ([None, None], [[2.0, 1.0], [9.0, 0.5], [0.25, 9.0]], [2 * 1 + 0.25 * 4, 10 + 0.5 * 20], [2.25, 1.5]),
        ([None, [2.0, 4.0]], [[2.0, 1.0], [9.0, 0.5], [0.25, 9.0]], [3.0, 4 * 10 + 2 * 0.5 * 20], [2.25, 5.0]),
    ],
)
def test_sums_over_examples(
    class_weights: list[list[float] | None],
    label_weights: list[list[float]] | None,
    totals: list[float],
    norms: list[float],
) -> None:
    weights = None if label_weights is None else torch.tensor(label_weights)
    loss = build_code_loss(*class_weights)
    sums = loss.compute_sums(EXAMPLE_OUTPUTS, EXAMPLE_TARGETS, EXAMPLE_MASK, weights)
    assert (sums.totals.tolist(), sums.norms.tolist(), sums.counts.tolist()) == (totals, norms, [2, 2])
    losses = loss(EXAMPLE_OUTPUTS, EXAMPLE_TARGETS, EXAMPLE_MASK, weights)
    assert losses.values.tolist() == pytest.approx([total / norm for total, norm in zip(totals, norms, strict=True)])
    assert losses.tasks.tolist() == [0, 1]


def test_sums_over_tokens() -> None:
    outputs = torch.tensor([[[1.0, 2.0, 4.0]], [[8.0, 16.0, 32.0]]]).unsqueeze(3)
    targets = torch.tensor([[[0, 1, 0]], [[1, 0, 1]]])
    mask = torch.tensor([[[True, True, False]], [[True, False, True]]])
    plain = build_code_loss(None).compute_sums(outputs, targets, mask)
    assert (plain.totals.tolist(), plain.norms.tolist(), plain.counts.tolist()) == ([43.0], [4.0], [4])
    weighted = build_code_loss([1.0, 0.5]).compute_sums(outputs, targets, mask, torch.tensor([[2.0], [3.0]]))
    assert weighted.totals.tolist() == [2 * (1 + 0.5 * 2) + 3 * 0.5 * (8 + 32)]
    assert weighted.norms.tolist() == [2 * 1.5 + 3 * 1.0]


def test_tasks_whose_labels_have_no_weight_have_no_loss() -> None:
    weights = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 5.0]])
    losses = build_code_loss(None, None)(EXAMPLE_OUTPUTS, EXAMPLE_TARGETS, EXAMPLE_MASK, weights)
    assert (losses.values.tolist(), losses.tasks.tolist(), losses.counts.tolist()) == ([2.5], [0], [2, 0])


def test_half_precision_outputs_have_losses_in_full_precision() -> None:
    losses = build_code_loss(None, None)(EXAMPLE_OUTPUTS.half(), EXAMPLE_TARGETS, EXAMPLE_MASK)
    assert losses.values.dtype == torch.float32


def test_sums_of_head_groups_are_concatenated() -> None:
    first = LossSums(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3]))
    sums = LossSums.concatenate([first, LossSums.zeros(2, torch.device("cpu"))])
    assert (sums.totals.tolist(), sums.norms.tolist(), sums.counts.tolist()) == ([1, 0, 0], [2, 0, 0], [3, 0, 0])
    assert sums.counts.dtype == torch.int64


def test_small_weights_are_weights() -> None:
    weights = torch.full((3, 2), 0.125)
    losses = build_code_loss(None, None)(EXAMPLE_OUTPUTS, EXAMPLE_TARGETS, EXAMPLE_MASK, weights)
    assert (losses.values.tolist(), losses.counts.tolist()) == ([2.5, 15.0], [2, 2])


@pytest.mark.parametrize(
    ("r_drop", "is_duplicated", "factor"), [(None, True, 0.0), (0.0, True, 0.0), (0.5, True, 0.5), (0.5, False, 0.0)]
)
def test_r_drop_of_a_task(r_drop: float | None, is_duplicated: bool, factor: float) -> None:
    """The divergence of the probabilities 2/3 and 1/3 is log(2) / 3, the same in both directions."""
    group = OneTask({"type": "binary"}, ["a", "b"]).group
    loss = build_group_loss(group) if r_drop is None else build_group_loss(group, r_drop)
    log_odds = torch.tensor([math.log(2), -math.log(2)]).view(2, 1, 1)
    targets, mask = torch.ones(2, 1, dtype=torch.int64), torch.ones(2, 1, dtype=torch.bool)
    sums = loss.compute_sums(log_odds, targets, mask, None, is_duplicated)
    expected = math.log(3 / 2) + math.log(3) + 2 * factor * math.log(2) / 3
    assert sums.totals.tolist() == pytest.approx([expected])


def test_batches_are_not_duplicated_by_default() -> None:
    outputs = torch.tensor([1.0, 3.0]).view(2, 1, 1)
    targets, mask = torch.tensor([[1.0], [3.0]]), torch.ones(2, 1, dtype=torch.bool)
    assert build_squared_loss(r_drop=1.0).compute_sums(outputs, targets, mask).totals.tolist() == [0.0]
    default = GroupLoss(RegressionLoss(squared_error), [None], lambda first, second: (first - second).square()[:, 0])
    assert default.compute_sums(outputs, targets, mask, is_duplicated=True).totals.tolist() == [0.0]


def test_class_weights_are_settings_and_no_state() -> None:
    assert build_code_loss([1.0, 2.0]).state_dict() == {}
