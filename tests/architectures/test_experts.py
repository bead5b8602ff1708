"""CGC, PLE and DSelect-k: which experts a task reads, and what the limits of their gates are."""

from typing import Any

import pytest
import torch
from architecture_checks import build_noisy_architecture

from mtl_architectures.cgc import CGC, PLE
from mtl_architectures.cgc_module import ProgressiveLayeredExtraction
from mtl_architectures.dselect_k import DSelectK
from mtl_architectures.dselect_k_module import SelectedExperts, compute_entropy
from mtl_architectures.mmoe import MMoE
from mtl_architectures.smooth_step import compute_selection, smooth_step
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.nn import Architecture, TaskFeatures
from mtl_core.plugins.specs import ArchitectureSpec
from mtl_text.lstm import LSTM

VECTORS = FeatureShape(6)
ALL_ACTIVE = [True] * 3


def draw_inputs(batch: int = 5) -> Features:
    return Features(torch.randn(batch, 6, generator=torch.Generator().manual_seed(1)))


def run(trunk: Architecture, inputs: Features | None = None) -> torch.Tensor:
    features = trunk(inputs or draw_inputs(), ALL_ACTIVE)
    assert isinstance(features, TaskFeatures)
    return features.values


def build(spec: ArchitectureSpec, **options: Any) -> Any:
    return build_noisy_architecture(spec, VECTORS, **options)


# ── customized gate control ──


def test_cgc_without_task_experts_is_mmoe() -> None:
    cgc, mmoe = build(CGC(shared_experts=3, task_experts=0)), build(MMoE(experts=3))
    state = {
        key.replace("experts.", "levels.0.shared_experts.").replace("gates.", "levels.0.task_gates."): value
        for key, value in mmoe.state_dict().items()
    }
    cgc.load_state_dict(state)
    assert torch.equal(run(cgc), run(mmoe))


def test_a_task_reads_shared_experts_and_its_own() -> None:
    trunk = build(CGC(shared_experts=2, task_experts=2))
    before = run(trunk)
    bank = trunk.levels[0].task_experts
    with torch.no_grad():
        bank.weights["layers/0/bias"][1, 1] += 1
    assert [bool((new != old).any()) for new, old in zip(run(trunk), before, strict=True)] == [False, True, False]
    with torch.no_grad():
        trunk.levels[0].shared_experts[0].layers[0].bias.add_(1)
    assert all((new != old).any() for new, old in zip(run(trunk), before, strict=True))


def test_cgc_equals_hand_computed_values() -> None:
    """The gate of a task has one weight per shared expert, then one per expert of the task."""
    trunk = build(CGC(shared_experts=1, task_experts=2))
    [level] = trunk.levels
    odds = torch.tensor([[1.0, 2.0, 3.0], [1e9, 1.0, 1.0], [1.0, 1.0, 1e9]])
    with torch.no_grad():
        level.task_gates.weight.zero_()
        level.task_gates.bias.copy_(odds.log())
    shared = level.shared_experts[0](draw_inputs()).values
    task_specific = level.task_experts(draw_inputs(), ALL_ACTIVE)
    first, second, third = run(trunk)
    torch.testing.assert_close(first, (shared + 2 * task_specific[0, 0] + 3 * task_specific[0, 1]) / 6)
    torch.testing.assert_close(second, shared, rtol=0, atol=1e-5)
    torch.testing.assert_close(third, task_specific[2, 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("has_task_inputs", [False, True])
def test_stacked_experts_equal_separate_modules(has_task_inputs: bool) -> None:
    from mtl_architectures.backbone_bank import SeparateBackbones, StackedBackbones

    modules = [[MLP(hidden_dims=[4, 6]).build(VECTORS) for _ in range(2)] for _ in range(3)]
    stacked, separate = StackedBackbones(modules), SeparateBackbones(modules, ["a", "b", "c"])
    active = [True, False, True]
    inputs = TaskFeatures(torch.randn(2, 5, 6), active) if has_task_inputs else draw_inputs()
    torch.testing.assert_close(stacked(inputs, active), separate(inputs, active))
    assert stacked(inputs, active).shape == (2, 2, 5, 6)
    n_parameters = len(list(modules[0][0].parameters()))
    assert len(stacked.stacked_parameters()) == n_parameters
    assert len(separate.task_parameters(1)) == 2 * n_parameters


def test_recurrent_experts_are_separate_modules() -> None:
    trunk = build_noisy_architecture(CGC(), FeatureShape(6, sequence=True), LSTM(hidden_dim=4))
    assert isinstance(trunk, ProgressiveLayeredExtraction)
    assert [len(trunk.task_parameters(task)) for task in range(3)] == [4, 4, 4]
    assert len(trunk.stacked_parameters()) == 2  # the gates


def test_dropout_masks_of_task_experts_differ() -> None:
    trunk = build(CGC(shared_experts=1), backbone=MLP(hidden_dims=[6], dropout=0.5)).train()
    task_specific = trunk.levels[0].task_experts(Features(torch.ones(40, 6)), ALL_ACTIVE)
    assert len({tuple((values != 0).flatten().tolist()) for values in task_specific}) == 3


# ── progressive layered extraction ──


@pytest.mark.parametrize("task_experts", [0, 1])
def test_one_level_is_cgc(task_experts: int) -> None:
    one, other = build(PLE(levels=1, task_experts=task_experts)), build(CGC(task_experts=task_experts))
    assert torch.equal(run(one), run(other))


def test_the_experts_of_a_task_feed_all_tasks_before_the_last_level() -> None:
    trunk = build(PLE(levels=2))
    before = run(trunk)
    bias = [level.task_experts.weights["layers/0/bias"] for level in trunk.levels]
    with torch.no_grad():
        bias[0][1] += 1
    assert all((new != old).any() for new, old in zip(run(trunk), before, strict=True))
    with torch.no_grad():
        bias[0][1] -= 1
        bias[1][1] += 1
    changes = [float((new - old).detach().abs().max()) for new, old in zip(run(trunk), before, strict=True)]
    assert [change > 1e-5 for change in changes] == [False, True, False]
    stacked = {id(parameter) for parameter in trunk.stacked_parameters()}
    assert [id(parameter) in stacked for parameter in bias] == [False, True]


def test_gates_of_a_further_level_read_the_features_of_the_task() -> None:
    trunk = build(PLE(levels=2, task_experts=0))
    before = run(trunk)
    with torch.no_grad():
        trunk.levels[0].task_gates.bias[2] += torch.tensor([3.0, 0.0])
    assert [bool((new != old).any()) for new, old in zip(run(trunk), before, strict=True)] == [False, False, True]


def test_experts_that_cannot_be_stacked_are_refused() -> None:
    with pytest.raises(MtlError, match=r"architecture 'ple': the experts of level 2 do not accept.*Choose `levels: 1`"):
        build_noisy_architecture(PLE(), FeatureShape(6, sequence=True), LSTM(hidden_dim=4))


# ── DSelect-k ──


@pytest.mark.parametrize("gamma", [0.3, 1.0, 4.0])
def test_smooth_step_is_monotone_and_saturates(gamma: float) -> None:
    values = torch.linspace(-gamma, gamma, 81, dtype=torch.float64).requires_grad_()
    step = smooth_step(values, gamma)
    assert ((step >= 0) & (step <= 1)).all()
    assert (step.diff() >= 0).all()
    torch.testing.assert_close(step + step.flip(0), torch.ones_like(step))
    outside = values.detach().abs() >= gamma / 2
    assert ((step == 0) | (step == 1))[outside].all()
    [gradient] = torch.autograd.grad(step.sum(), values)
    assert not gradient[outside].any()
    torch.testing.assert_close(gradient.max(), torch.tensor(1.5 / gamma, dtype=torch.float64))


@pytest.mark.parametrize("experts", [1, 2, 3, 5, 8])
def test_binary_digits_select_one_expert(experts: int) -> None:
    n_digits = max(1, (experts - 1).bit_length())
    digits = torch.tensor([[code >> digit & 1 for digit in range(n_digits)] for code in range(2**n_digits)])
    selection = compute_selection(digits.float(), experts)
    assert selection.argmax(dim=1).tolist() == [code % experts for code in range(2**n_digits)]
    assert torch.equal(selection, torch.nn.functional.one_hot(selection.argmax(dim=1), experts).float())
    soft = compute_selection(torch.rand(7, n_digits), experts)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(7))


def minimize_entropy(trunk: SelectedExperts, inputs: Features) -> None:
    optimizer = torch.optim.Adam(trunk.gates.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        trunk(inputs, [True] * 12)
        loss = trunk.regularization_loss()
        assert loss is not None
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@pytest.mark.parametrize("per_example", [False, True])
@pytest.mark.parametrize(("experts", "k"), [(4, 2), (6, 1), (5, 3)])
def test_at_most_k_experts_have_a_weight_in_the_limit(experts: int, k: int, per_example: bool) -> None:
    spec = DSelectK(experts=experts, k=k, per_example=per_example, entropy=0.1)
    trunk = build(spec, tasks=[f"t{task}" for task in range(12)]).train()
    inputs = draw_inputs()
    initial = trunk.compute_gate_weights(inputs)
    torch.testing.assert_close(initial.sum(dim=2), torch.ones(initial.shape[:2]))
    assert ((initial > 0).sum(dim=2) > k).any()
    minimize_entropy(trunk, inputs)
    weights = trunk.compute_gate_weights(inputs)
    is_converged = (trunk.gates(inputs.mean_pool() if per_example else None, [True] * 12)[1].amax(dim=3) == 1).all(
        dim=2
    )
    assert is_converged.float().mean() > 0.9
    assert ((weights > 0).sum(dim=2)[is_converged] <= k).all()
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(weights.shape[:2]))
    assert weights.argmax(dim=2).unique().numel() > 1, "all tasks selected the same expert"


def test_entropy_of_uniform_and_of_binary_selectors() -> None:
    uniform, binary = torch.full((3, 2, 2, 4), 0.25), torch.eye(4)[:2].expand(3, 2, 2, 4)
    torch.testing.assert_close(compute_entropy(uniform), 6 * torch.tensor(4.0).log(), rtol=1e-4, atol=0)
    assert compute_entropy(binary).abs() < 1e-4


def test_gates_learn_the_expert_that_lowers_the_loss() -> None:
    """Each task's target is the output of another expert; the gates select it, exactly."""
    trunk = build(DSelectK(experts=4, k=1, entropy=0.01))
    with torch.no_grad():
        trunk.gates.bias.uniform_(-0.01, 0.01)
    trunk.experts.requires_grad_(False)
    inputs = draw_inputs(batch=40)
    targets = torch.stack([trunk.experts[expert](inputs).values for expert in (2, 0, 3)])
    optimizer = torch.optim.Adam(trunk.gates.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        ((run(trunk, inputs) - targets).square().mean() + trunk.regularization_loss()).backward()
        optimizer.step()
    weights = trunk.compute_gate_weights(inputs)[:, 0]
    assert torch.equal(weights, torch.nn.functional.one_hot(torch.tensor([2, 0, 3]), 4).float())


def test_the_entropy_of_a_batch_is_used_once() -> None:
    trunk = build(DSelectK(per_example=True)).train()
    assert trunk.regularization_loss() is None
    trunk(draw_inputs(), ALL_ACTIVE)
    with torch.no_grad():
        trunk(draw_inputs(), ALL_ACTIVE)  # recomputed losses of a step
    loss = trunk.regularization_loss()
    assert loss is not None
    assert loss.requires_grad
    assert trunk.regularization_loss() is None


def test_k_above_the_number_of_experts_is_refused() -> None:
    with pytest.raises(ValueError, match="k is 5, expected at most the number of experts, 4"):
        DSelectK(experts=4, k=5)
