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

from mtl_core.builtins.backbones.identity import Identity
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.class_weights import Balanced, ExplicitWeights, Unweighted
from mtl_core.builtins.encoders.array import ArrayEncoder
from mtl_core.builtins.encoders.modules.array import StandardisedArrays
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.losses.focal import Focal
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.builtins.schedules import Constant, Cosine, LinearDecay
from mtl_core.builtins.weightings.label_count import LabelCount
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.specs import OptimizerSpec, ScheduleSpec
from mtl_core.training.losses import GroupLoss

# ── schedules ──

totals = st.integers(1, 300)
shares = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(totals, shares, shares)
def test_schedules_equal_their_formulas(total: int, warm_up: float, end: float) -> None:
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
            Constant(warmup=warm_up),
            LinearDecay(warmup=warm_up, final=end),
            Cosine(warmup=warm_up, final=end),
        ]
        assert [spec.compute_factor(step, total) for spec in schedules] == pytest.approx(expected)


@pytest.mark.parametrize("spec", [Constant(), LinearDecay(), Cosine(), LinearDecay(warmup=0.9), Cosine(warmup=0.5)])
def test_schedule_factors_are_in_range_even_after_the_last_step(spec: ScheduleSpec) -> None:
    factors = [spec.compute_factor(step, 10) for step in range(25)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert len(set(factors[10:])) == 1


# ── class weights ──

counts = st.lists(st.integers(1, 500), min_size=2, max_size=6)


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_balanced_weights_equal_scikit_learn_to_a_power(numbers: list[int], power: float) -> None:
    labels = np.repeat(np.arange(len(numbers)), numbers)
    expected = compute_class_weight("balanced", classes=np.arange(len(numbers)), y=labels) ** power
    class_counts = {f"c{index}": count for index, count in enumerate(numbers)}
    assert Balanced(power=power).compute_weights(class_counts) == pytest.approx(expected.tolist())
    assert Unweighted().compute_weights(class_counts) == [1.0] * len(numbers)


def test_unobserved_class_has_weight_one() -> None:
    assert Balanced().compute_weights({"a": 3, "b": 1, "never": 0}) == pytest.approx([4 / 6, 4 / 2, 1.0])
    assert Balanced().compute_weights({"a": 0, "b": 0}) == [1.0, 1.0]


def test_explicit_weights_and_unknown_class_names() -> None:
    spec = ExplicitWeights(values={"b": 0.5, "c": 0.0})
    assert spec.compute_weights({"a": 1, "b": 2, "c": 3}) == [1.0, 0.5, 0.0]
    with pytest.raises(MtlError, match="'b' is not a class; did you mean 'bb'"):
        spec.compute_weights({"a": 1, "bb": 2, "c": 3})


# ── optimizers ──


def compute_update(spec: Any, start: float, gradients: Sequence[float]) -> float:
    """Compute the updates of one scalar weight by the textbook formula."""
    weight, first_moment, second_moment, momentum = start, 0.0, 0.0, 0.0
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
        beta1, beta2 = spec.betas
        first_moment, second_moment = (
            beta1 * first_moment + (1 - beta1) * gradient,
            beta2 * second_moment + (1 - beta2) * gradient**2,
        )
        weight -= spec.lr * (first_moment / (1 - beta1**step)) / (math.sqrt(second_moment / (1 - beta2**step)) + 1e-8)
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
def test_optimizer_updates_equal_their_formula(spec: OptimizerSpec) -> None:
    gradients = [0.3, -1.2, 0.7, 0.05]
    weight = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    optimizer = spec.build([weight])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    assert weight.item() == pytest.approx(compute_update(spec, 1.5, gradients), rel=1e-6)


# ── losses ──


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6), st.sampled_from([0.0, 0.5, 2.0, 5.0]))
def test_focal_loss_equals_its_formula_and_cross_entropy_at_gamma_zero(seed: int, classes: int, gamma: float) -> None:
    random = torch.Generator().manual_seed(seed)
    outputs = torch.randn(7, classes, generator=random, dtype=torch.float64) * 2
    targets = torch.randint(classes, (7,), generator=random)
    target_probabilities = torch.softmax(outputs, dim=1)[torch.arange(7), targets]
    losses = Focal(gamma=gamma).build()(outputs, targets)
    torch.testing.assert_close(losses, -((1 - target_probabilities) ** gamma) * target_probabilities.log())
    if gamma == 0:
        torch.testing.assert_close(losses, CrossEntropy().build()(outputs, targets))


def test_focal_loss_of_a_certain_example_has_a_finite_gradient() -> None:
    outputs = torch.tensor([[100.0, -100.0]], requires_grad=True)
    Focal(gamma=0.5).build()(outputs, torch.tensor([0])).sum().backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_label_smoothing_equals_its_formula() -> None:
    outputs, targets = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    smooth = torch.full((5, 4), 0.1 / 4)
    smooth[torch.arange(5), targets] += 0.9
    expected = -(smooth * torch.log_softmax(outputs, dim=1)).sum(dim=1)
    torch.testing.assert_close(CrossEntropy(label_smoothing=0.1).build()(outputs, targets), expected)


# ── weightings ──


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_weightings_are_a_weighted_sum_and_a_mean_over_labels(seed: int, tasks: int) -> None:
    random = torch.Generator().manual_seed(seed)
    outputs, targets = torch.randn(8, tasks, 3, generator=random), torch.randint(3, (8, tasks), generator=random)
    mask = torch.rand(8, tasks, generator=random) < 0.5
    mask[0, 0] = True
    weights = (torch.rand(tasks, generator=random) * 2).tolist()
    names = [f"t{task}" for task in range(tasks)]
    losses = GroupLoss(CrossEntropy().build(), [None] * tasks)(outputs, targets, mask)
    label_losses = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(8, tasks)
    means = [
        label_losses[mask[:, task], task].mean() if mask[:, task].any() else torch.tensor(0.0) for task in range(tasks)
    ]

    torch.testing.assert_close(
        WeightedSum().build(names, weights)(losses),
        torch.stack([w * m for w, m in zip(weights, means, strict=True)]).sum(),
    )
    weighted_losses = label_losses * torch.tensor(weights)
    torch.testing.assert_close(LabelCount().build(names, weights)(losses), weighted_losses[mask].mean())
    torch.testing.assert_close(LabelCount().build(names, [1.0] * tasks)(losses), label_losses[mask].mean())


# ── masks ──


def test_masks_select_labels_that_are_not_missing() -> None:
    spaces = [ClassSpace(["a", "b"], ["absent"]), ClassSpace(["a", "b"], ["absent"])]
    codes = torch.tensor([[0, 1], [-1, 2], [2, 0]])
    assert Observed().build(spaces)(codes).tolist() == [[True, True], [False, True], [True, True]]
    assert ExcludeLabels().build(spaces)(codes).tolist() == [[True, True], [False, False], [False, True]]


def test_label_vector_is_observed_if_any_number_is() -> None:
    nan = float("nan")
    scalar_space, vector_space = (
        NumberSpace([0.0], [1.0], vector=False),
        NumberSpace([0.0, 0.0], [1.0, 1.0], vector=True),
    )
    numbers = torch.tensor([[1.0, nan], [nan, 0.0]])
    assert Observed().build([scalar_space, scalar_space])(numbers).tolist() == [[True, False], [False, True]]
    vectors = torch.tensor([[[1.0, 2.0], [nan, 1.0]], [[0.0, nan], [nan, nan]]])
    assert Observed().build([vector_space, vector_space])(vectors).tolist() == [[True, True], [True, False]]


def test_empty_label_list_is_observed() -> None:
    space = MultiLabelSpace(["a", "b"])
    table = torch.from_numpy(space.encode([["a", "b"], [], None], [""] * 3)).unsqueeze(1)
    assert Observed().build([space])(table).tolist() == [[True], [True], [False]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4, unique=True), min_size=1, max_size=4),
    st.lists(st.sampled_from([*"abcd", "absent", "unsure"]), unique=True),
    st.data(),
)
def test_excluded_labels_are_masked_even_if_they_are_classes(
    classes: list[list[str]], excluded: list[str], data: st.DataObject
) -> None:
    spec = ExcludeLabels(labels=excluded)
    spaces = [ClassSpace(names, spec.list_excluded_labels()) for names in classes]
    columns = [
        data.draw(st.lists(st.sampled_from([None, *names, *excluded]), min_size=5, max_size=5)) for names in classes
    ]
    codes = torch.stack(
        [torch.from_numpy(space.encode(column, [""] * 5)) for space, column in zip(spaces, columns, strict=True)],
        dim=1,
    )
    expected_mask = [
        [label is not None and label not in excluded for label in row] for row in zip(*columns, strict=True)
    ]
    assert spec.build(spaces)(codes).tolist() == expected_mask


# ── array encoder, backbones, head ──


def fit_encoder(rows: Sequence[Any], standardise: bool = True) -> StandardisedArrays:
    encoder = ArrayEncoder(standardise=standardise).build()
    encoder.fit(encoder.parse(rows))
    return encoder


def compute_features(encoder: StandardisedArrays, rows: Sequence[Any]) -> torch.Tensor:
    values = encoder.input_layer()(encoder.collate(encoder.encode(encoder.parse(rows)))).values
    assert isinstance(values, torch.Tensor)
    return values


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 2**31), st.sampled_from([0.0, 1.0, 1e3, -1e5]))
def test_training_columns_are_standardised(rows: int, width: int, seed: int, offset: float) -> None:
    random = np.random.default_rng(seed)
    table = (random.normal(size=(rows, width)) * random.uniform(1, 20, width) + offset).astype(np.float32)
    table[0], table[1] = offset, offset + 5  # no column is constant
    standardised = compute_features(fit_encoder(list(table)), list(table)).double()
    torch.testing.assert_close(standardised.mean(dim=0), torch.zeros(width).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(standardised.std(dim=0, correction=0), torch.ones(width).double(), atol=0.01, rtol=0)
    expected = (table - table.mean(axis=0, dtype=np.float64)) / table.std(axis=0, dtype=np.float64)
    torch.testing.assert_close(standardised, torch.from_numpy(expected), atol=0.01, rtol=1e-3)
    torch.testing.assert_close(compute_features(fit_encoder(list(table), False), list(table)), torch.from_numpy(table))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6, width=32), st.integers(1, 300))
def test_constant_column_is_not_scaled_up(value: float, rows: int) -> None:
    encoder = fit_encoder([[value, row] for row in range(rows)])
    values = compute_features(encoder, [[value, 0.0], [np.float32(value) + np.float32(1), 0.0]])
    assert abs(values[0, 0].item()) <= 1e-3 * max(1.0, abs(value) / 1e3)
    assert (values[1, 0] - values[0, 0]).item() == pytest.approx(1.0, abs=0.07)


def test_arrays_of_any_shape_are_flattened() -> None:
    rows = [np.arange(6).reshape(2, 3) + n for n in range(3)]
    assert compute_features(fit_encoder(rows, False), rows).tolist() == [
        [float(v + n) for v in range(6)] for n in range(3)
    ]


def test_invalid_rows_of_numbers_are_refused() -> None:
    encoder = fit_encoder([[1.0, 2.0], [3.0, 4.0]])
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


def test_restored_encoder_returns_the_same_bits() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    encoder = fit_encoder(list(rows))
    restored_encoder = ArrayEncoder().build()
    restored_encoder.restore(encoder.state())
    assert torch.equal(compute_features(restored_encoder, list(rows)), compute_features(encoder, list(rows)))


def test_backbones_and_the_linear_head_equal_their_formulas() -> None:
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
    )
    bias, weight = (parameter[0] for _, parameter in sorted(head.named_parameters()))  # the first dimension is the task
    torch.testing.assert_close(head(sequence), means @ weight.T + bias)
