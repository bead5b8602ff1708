"""The built-in components against their closed forms."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.array_encoder import StandardisedArrays
from mtl_core.builtins.backbones import MLP, Identity
from mtl_core.builtins.class_weights import Balanced, GivenWeights, Unweighted
from mtl_core.builtins.encoders import ArrayEncoder
from mtl_core.builtins.heads import Linear
from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses import CrossEntropy, Focal
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.builtins.schedules import Constant, Cosine, LinearDecay
from mtl_core.builtins.weightings import ByLabels, Static
from mtl_core.data.label_space import ClassSpace, MultiLabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.model.features import Features, FeatureShape
from mtl_core.specs import OptimizerSpec, ScheduleSpec
from mtl_core.training.losses import GroupLoss

# ── schedules ──

totals = st.integers(1, 300)
shares = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(totals, shares, shares)
def test_every_schedule_is_its_formula_at_every_step(total: int, warm_up: float, end: float) -> None:
    rising = round(total * warm_up)
    for step in range(total):
        if step < rising:
            expected = [(step + 1) / rising] * 3
        else:
            progress = (step - rising) / (total - rising)
            expected = [
                1.0,
                1 + (end - 1) * progress,
                end + (1 - end) * (math.cos(math.pi * progress) + 1) / 2,
            ]
        schedules: list[ScheduleSpec] = [
            Constant(warm_up=warm_up),
            LinearDecay(warm_up=warm_up, end=end),
            Cosine(warm_up=warm_up, end=end),
        ]
        assert [spec.factor(step, total) for spec in schedules] == pytest.approx(expected)


@pytest.mark.parametrize(
    "spec", [Constant(), LinearDecay(), Cosine(), LinearDecay(warm_up=0.9), Cosine(warm_up=0.5)]
)
def test_a_schedule_never_leaves_the_range_even_past_its_end(spec: ScheduleSpec) -> None:
    factors = [spec.factor(step, 10) for step in range(25)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert len(set(factors[10:])) == 1


# ── class weights ──

counts = st.lists(st.integers(1, 500), min_size=2, max_size=6)


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_balanced_weights_are_scikit_learns_to_a_power(numbers: list[int], power: float) -> None:
    labels = np.repeat(np.arange(len(numbers)), numbers)
    expected = compute_class_weight("balanced", classes=np.arange(len(numbers)), y=labels) ** power
    named = {f"c{index}": count for index, count in enumerate(numbers)}
    assert Balanced(power=power).weights(named) == pytest.approx(expected.tolist())
    assert Unweighted().weights(named) == [1.0] * len(numbers)


def test_a_class_that_never_occurs_has_weight_one() -> None:
    assert Balanced().weights({"a": 3, "b": 1, "never": 0}) == pytest.approx([4 / 6, 4 / 2, 1.0])
    assert Balanced().weights({"a": 0, "b": 0}) == [1.0, 1.0]


def test_given_weights_are_those_given_and_a_wrong_name_is_refused() -> None:
    spec = GivenWeights(values={"b": 0.5, "c": 0.0})
    assert spec.weights({"a": 1, "b": 2, "c": 3}) == [1.0, 0.5, 0.0]
    with pytest.raises(MtlError, match="'b' is not a class; did you mean 'bb'"):
        spec.weights({"a": 1, "bb": 2, "c": 3})


# ── optimizers ──


def by_hand(spec: Any, start: float, gradients: Sequence[float]) -> float:
    """Compute the updates of one scalar weight by the textbook formula."""
    weight, first, second, momentum = start, 0.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        if isinstance(spec, SGD):
            gradient += spec.weight_decay * weight
            momentum = gradient if step == 1 else spec.momentum * momentum + gradient
            weight -= spec.lr * momentum
            continue
        if isinstance(spec, AdamW):
            weight -= spec.lr * spec.weight_decay * weight
        else:
            gradient += spec.weight_decay * weight
        one, two = spec.betas
        first, second = one * first + (1 - one) * gradient, two * second + (1 - two) * gradient**2
        weight -= spec.lr * (first / (1 - one**step)) / (math.sqrt(second / (1 - two**step)) + 1e-8)
    return weight


@pytest.mark.parametrize(
    "spec",
    [
        Adam(lr=0.1),
        Adam(lr=0.1, betas=[0.5, 0.7], weight_decay=0.2),
        AdamW(lr=0.1),
        AdamW(lr=0.1, betas=[0.5, 0.7], weight_decay=0.3),
        SGD(lr=0.1),
        SGD(lr=0.2, momentum=0.0, weight_decay=0.1),
        SGD(lr=0.2, momentum=0.5, weight_decay=0.1),
    ],
    ids=str,
)
def test_an_optimizer_moves_as_its_formula_says(spec: OptimizerSpec) -> None:
    gradients = [0.3, -1.2, 0.7, 0.05]
    weight = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    optimizer = spec.build([weight])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    assert weight.item() == pytest.approx(by_hand(spec, 1.5, gradients), rel=1e-6)


# ── losses ──


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6), st.sampled_from([0.0, 0.5, 2.0, 5.0]))
def test_focal_loss_is_its_formula_and_cross_entropy_at_gamma_zero(seed: int, classes: int, gamma: float) -> None:
    random = torch.Generator().manual_seed(seed)
    outputs = torch.randn(7, classes, generator=random, dtype=torch.float64) * 2
    targets = torch.randint(classes, (7,), generator=random)
    right = torch.softmax(outputs, dim=1)[torch.arange(7), targets]
    found = Focal(gamma=gamma).build()(outputs, targets)
    torch.testing.assert_close(found, -((1 - right) ** gamma) * right.log())
    if gamma == 0:
        torch.testing.assert_close(found, CrossEntropy().build()(outputs, targets))


def test_focal_loss_of_a_certain_example_has_a_finite_gradient() -> None:
    outputs = torch.tensor([[100.0, -100.0]], requires_grad=True)
    Focal(gamma=0.5).build()(outputs, torch.tensor([0])).sum().backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_smoothing_spreads_probability() -> None:
    outputs, targets = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    smooth = torch.full((5, 4), 0.1 / 4)
    smooth[torch.arange(5), targets] += 0.9
    expected = -(smooth * torch.log_softmax(outputs, dim=1)).sum(dim=1)
    torch.testing.assert_close(CrossEntropy(smoothing=0.1).build()(outputs, targets), expected)


# ── weightings ──


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_weightings_are_a_weighted_sum_and_the_mean_over_all_labels(seed: int, tasks: int) -> None:
    random = torch.Generator().manual_seed(seed)
    outputs, targets = torch.randn(8, tasks, 3, generator=random), torch.randint(3, (8, tasks), generator=random)
    mask = torch.rand(8, tasks, generator=random) < 0.5
    mask[0, 0] = True
    weights = (torch.rand(tasks, generator=random) * 2).tolist()
    names = [f"t{task}" for task in range(tasks)]
    losses = GroupLoss(CrossEntropy().build(), [None] * tasks)(outputs, targets, mask)
    each = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(8, tasks)
    means = [
        each[mask[:, task], task].mean() if mask[:, task].any() else torch.tensor(0.0) for task in range(tasks)
    ]

    torch.testing.assert_close(
        Static().build(names, weights)(losses),
        torch.stack([w * m for w, m in zip(weights, means, strict=True)]).sum(),
    )
    weighed = each * torch.tensor(weights)
    torch.testing.assert_close(ByLabels().build(names, weights)(losses), weighed[mask].mean())
    torch.testing.assert_close(ByLabels().build(names, [1.0] * tasks)(losses), each[mask].mean())


# ── masks ──


def test_masks_keep_what_is_there() -> None:
    spaces = [ClassSpace(["a", "b"], ["absent"]), ClassSpace(["a", "b"], ["absent"])]
    codes = torch.tensor([[0, 1], [-1, 2], [2, 0]])
    assert Observed().build(spaces)(codes).tolist() == [[True, True], [False, True], [True, True]]
    assert ExcludeLabels().build(spaces)(codes).tolist() == [[True, True], [False, False], [False, True]]


def test_an_observed_label_of_numbers_is_there_if_any_of_them_is() -> None:
    nan = float("nan")
    one, two = NumberSpace([0.0], [1.0], vector=False), NumberSpace([0.0, 0.0], [1.0, 1.0], vector=True)
    numbers = torch.tensor([[1.0, nan], [nan, 0.0]])
    assert Observed().build([one, one])(numbers).tolist() == [[True, False], [False, True]]
    several = torch.tensor([[[1.0, 2.0], [nan, 1.0]], [[0.0, nan], [nan, nan]]])
    assert Observed().build([two, two])(several).tolist() == [[True, True], [True, False]]


def test_an_observed_list_of_labels_is_there_even_if_it_is_empty() -> None:
    space = MultiLabelSpace(["a", "b"])
    table = torch.from_numpy(space.encode([["a", "b"], [], None], [""] * 3)).unsqueeze(1)
    assert Observed().build([space])(table).tolist() == [[True], [True], [False]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4, unique=True), min_size=1, max_size=4),
    st.lists(st.sampled_from([*"abcd", "absent", "unsure"]), unique=True),
    st.data(),
)
def test_named_labels_never_count_even_if_they_are_declared_classes(
    classes: list[list[str]], excluded: list[str], data: st.DataObject
) -> None:
    spec = ExcludeLabels(labels=excluded)
    spaces = [ClassSpace(names, spec.excluded()) for names in classes]
    columns = [
        data.draw(st.lists(st.sampled_from([None, *names, *excluded]), min_size=5, max_size=5)) for names in classes
    ]
    codes = torch.stack(
        [torch.from_numpy(space.encode(column, [""] * 5)) for space, column in zip(spaces, columns, strict=True)],
        dim=1,
    )
    counted = [[label is not None and label not in excluded for label in row] for row in zip(*columns, strict=True)]
    assert spec.build(spaces)(codes).tolist() == counted


# ── array encoder, backbones, head ──


def fitted(rows: Sequence[Any], standardise: bool = True) -> StandardisedArrays:
    encoder = ArrayEncoder(standardise=standardise).build()
    encoder.fit(encoder.parse(rows))
    return encoder


def features(encoder: StandardisedArrays, rows: Sequence[Any]) -> torch.Tensor:
    values = encoder.input_layer()(encoder.collate(encoder.encode(encoder.parse(rows)))).values
    assert isinstance(values, torch.Tensor)
    return values


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 2**31), st.sampled_from([0.0, 1.0, 1e3, -1e5]))
def test_training_columns_come_out_with_mean_0_and_deviation_1(
    rows: int, width: int, seed: int, offset: float
) -> None:
    random = np.random.default_rng(seed)
    table = (random.normal(size=(rows, width)) * random.uniform(1, 20, width) + offset).astype(np.float32)
    table[0], table[1] = offset, offset + 5  # no column is constant
    found = features(fitted(list(table)), list(table)).double()
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(width).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(found.std(dim=0, correction=0), torch.ones(width).double(), atol=0.01, rtol=0)
    exact = (table - table.mean(axis=0, dtype=np.float64)) / table.std(axis=0, dtype=np.float64)
    torch.testing.assert_close(found, torch.from_numpy(exact), atol=0.01, rtol=1e-3)
    torch.testing.assert_close(features(fitted(list(table), False), list(table)), torch.from_numpy(table))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6, width=32), st.integers(1, 300))
def test_a_column_that_never_changes_is_not_blown_up(value: float, rows: int) -> None:
    encoder = fitted([[value, row] for row in range(rows)])
    found = features(encoder, [[value, 0.0], [np.float32(value) + np.float32(1), 0.0]])
    assert abs(found[0, 0].item()) <= 1e-3 * max(1.0, abs(value) / 1e3)
    assert (found[1, 0] - found[0, 0]).item() == pytest.approx(1.0, abs=0.07)


def test_arrays_of_any_shape_are_flattened() -> None:
    rows = [np.arange(6).reshape(2, 3) + n for n in range(3)]
    assert features(fitted(rows, False), rows).tolist() == [[float(v + n) for v in range(6)] for n in range(3)]


def test_what_is_no_row_of_finite_numbers_is_refused() -> None:
    encoder = fitted([[1.0, 2.0], [3.0, 4.0]])
    for value, message in (
        ("text", "reads arrays of numbers, found str"),
        ([1.0, float("nan")], "not finite"),
        ([1.0, 1e300], "not finite"),
        ([[1.0], [2.0, 3.0]], "reads arrays of numbers, found list"),
    ):
        with pytest.raises(MtlError, match=message):
            encoder.parse([value])
    with pytest.raises(MtlError, match="inputs of 2 and of 3 numbers"):
        encoder.parse([[1, 2], [1, 2, 3]])
    with pytest.raises(MtlError, match="an input has 3 numbers, training inputs had 2"):
        encoder.encode(encoder.parse([[1, 2, 3]]))


def test_a_restored_encoder_gives_the_same_bits() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    encoder = fitted(list(rows))
    other = ArrayEncoder().build()
    other.restore(encoder.state())
    assert torch.equal(features(other, list(rows)), features(encoder, list(rows)))


def test_backbones_and_the_linear_head_do_what_they_say() -> None:
    sequence = Features(torch.randn(3, 5, 4), torch.arange(5) < torch.tensor([[5], [2], [1]]))
    mlp = MLP(hidden_dims=[7, 2]).build(FeatureShape(4, True))
    assert mlp.output == FeatureShape(2, True)
    first, second = (layer for layer in mlp.modules() if isinstance(layer, nn.Linear))
    expected = torch.relu(second(torch.relu(first(sequence.values))))
    torch.testing.assert_close(mlp(sequence).values, expected)
    assert mlp(sequence).mask is sequence.mask
    assert Identity().build(FeatureShape(4, True))(sequence) is sequence

    head = Linear().build(FeatureShape(4, True), 3)
    means = torch.stack(
        [row[: int(mask.sum())].mean(dim=0) for row, mask in zip(sequence.values, sequence.mask, strict=True)]
    )  # type: ignore[arg-type]
    layer = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
    torch.testing.assert_close(head(sequence), layer(means))
