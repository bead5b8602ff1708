"""MTAN and AdaShare: attention masks of tasks over shared features, and blocks that tasks select."""

from typing import Any

import pytest
import torch
from architecture_checks import build_noisy_architecture

from mtl_architectures.adashare import AdaShare
from mtl_architectures.adashare_module import PolicySchedule, SelectedBlocks
from mtl_architectures.mtan import MTAN
from mtl_architectures.mtan_module import AttentionNetwork
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.nn import TaskFeatures
from mtl_images.residual_cnn import ResidualCNN
from mtl_text.lstm import LSTM

ALL_ACTIVE = [True] * 3
IMAGES = FeatureShape(3, size=(8, 6), image_size=(8, 6))
VECTORS = FeatureShape(6)


def draw(*shape: int) -> Features:
    return Features(torch.randn(*shape, generator=torch.Generator().manual_seed(1)))


# ── attention ──


def build_attention(**fields: Any) -> AttentionNetwork:
    backbone = ResidualCNN(channels=[4, 5], output="spatial", normalization="group")
    trunk = build_noisy_architecture(MTAN(**fields), IMAGES, backbone)
    assert isinstance(trunk, AttentionNetwork)
    return trunk


def test_attention_is_between_0_and_1_and_scales_the_shared_features() -> None:
    trunk = build_attention(layers=2)
    inputs = draw(2, 3, 8, 6)
    features, attentions = trunk.compute_masked_features(inputs, ALL_ACTIVE)
    for attention in attentions:
        assert ((attention > 0) & (attention < 1)).all()
        assert attention.std(dim=1).min() > 1e-4, "the attention of a channel is constant"
        assert (attention[0] != attention[1]).any()
    shared = trunk.backbones[1](trunk.backbones[0](inputs)).values
    assert features.values.shape == (3, *shared.shape)
    for values, attention in zip(features.values, attentions[1], strict=True):
        rows = attention.view(2, *shared.shape[2:], shared.shape[1]).movedim(-1, 1)
        torch.testing.assert_close(values, rows * shared)


def test_gradient_of_a_task_reaches_its_own_attention_only() -> None:
    trunk = build_attention(layers=2)
    features = trunk(draw(2, 3, 8, 6), ALL_ACTIVE)
    assert features[1] is not None
    features[1].values.square().sum().backward()
    for parameter in trunk.stacked_parameters():
        assert parameter.grad is not None
        assert [bool(row.any()) for row in parameter.grad] == [False, True, False]
    assert all(p.grad is not None and p.grad.any() for p in trunk.backbones[0].parameters())


def test_attention_reads_the_masked_features_of_the_task() -> None:
    trunk = build_attention(layers=2)
    inputs = draw(2, 3, 8, 6)
    _, before = trunk.compute_masked_features(inputs, ALL_ACTIVE)
    with torch.no_grad():
        trunk.attention[0].bias[2] += 1  # type: ignore[index, operator]
    _, after = trunk.compute_masked_features(inputs, ALL_ACTIVE)
    for old, new in zip(before, after, strict=True):
        assert [bool((a != b).any()) for a, b in zip(old, new, strict=True)] == [False, False, True]


def test_attention_over_a_backbone_that_turns_tokens_into_one_vector() -> None:
    trunk = build_noisy_architecture(MTAN(layers=1), FeatureShape(6, sequence=True), LSTM(hidden_dim=4))
    tokens = Features(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool))
    features = trunk(tokens, [True, False, True])
    assert isinstance(features, TaskFeatures)
    assert features.values.shape == (2, 2, 4)
    with pytest.raises(MtlError, match="architecture 'mtan': backbones cannot be stacked"):
        build_noisy_architecture(MTAN(), FeatureShape(6, sequence=True), LSTM(hidden_dim=4))


# ── selected blocks ──


def build_blocks(**fields: Any) -> SelectedBlocks:
    trunk = build_noisy_architecture(AdaShare(**fields), VECTORS, MLP(hidden_dims=[6]))
    assert isinstance(trunk, SelectedBlocks)
    return trunk


def set_policy(trunk: SelectedBlocks, decisions: list[list[int]]) -> None:
    with torch.no_grad():
        trunk.policy.copy_(torch.tensor(decisions) * 2.0 - 1)


def test_inference_executes_the_selected_blocks_only() -> None:
    trunk = build_blocks(blocks=3)
    set_policy(trunk, [[1, 1, 1], [0, 1, 0], [0, 0, 0]])
    stem = trunk.stem(draw(5, 6)).values
    first, second, third = trunk(draw(5, 6), ALL_ACTIVE)
    expected = stem
    for block in trunk.blocks:
        expected = expected + block(Features(expected)).values
    torch.testing.assert_close(first.values, expected)
    torch.testing.assert_close(second.values, stem + trunk.blocks[1](Features(stem)).values)
    assert torch.equal(third.values, stem)


def test_inference_is_deterministic_and_training_draws_from_the_global_generator() -> None:
    trunk = build_blocks(warmup=0.0)
    trunk.on_step_start(60, 100)
    before = torch.get_rng_state()
    assert torch.equal(trunk(draw(5, 6), ALL_ACTIVE).values, trunk(draw(5, 6), ALL_ACTIVE).values)
    assert torch.equal(torch.get_rng_state(), before)
    trunk.train()
    decisions = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        decisions.append(trunk.sample_decisions())
    assert torch.equal(decisions[0], decisions[1])
    assert not torch.equal(decisions[0], decisions[2])
    torch.set_rng_state(before)


def test_draws_have_the_probability_of_the_policy() -> None:
    """At a low temperature, the share of drawn decisions above 0.5 is the probability of the policy."""
    trunk = build_blocks(blocks=1, warmup=0.0, search_end=1.0, temperature=0.1, final_temperature=0.1).train()
    with torch.no_grad():
        trunk.policy.copy_(torch.tensor([[-1.0], [0.0], [2.0]]))
    torch.manual_seed(0)
    shares = torch.stack([(trunk.sample_decisions() > 0.5).float() for _ in range(4000)]).mean(dim=0)
    torch.testing.assert_close(shares, trunk.policy.detach().sigmoid(), rtol=0, atol=0.03)


def test_phases_of_the_training() -> None:
    trunk = build_blocks(blocks=3, warmup=0.1, search_end=0.7).train()
    set_policy(trunk, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    n_soft = []
    for step in range(100):
        trunk.on_step_start(step, 100)
        decisions = trunk.sample_decisions()
        soft = ((decisions > 0) & (decisions < 1)).any(dim=0)
        n_soft.append(int(soft.sum()))
        assert soft.tolist() == [False] * (3 - n_soft[-1]) + [True] * n_soft[-1], "the last blocks come first"
        assert decisions.requires_grad == (n_soft[-1] > 0)
        if step < 10:
            assert (decisions == 1).all()
        if step >= 70:
            assert torch.equal(decisions, trunk.get_decisions().float())
            assert trunk.regularization_loss() is None
    assert n_soft == [0] * 10 + [1] * 20 + [2] * 20 + [3] * 20 + [0] * 30


def test_temperature_decreases_exponentially() -> None:
    schedule = PolicySchedule(0.2, 0.6, 4.0, 1.0)
    temperatures = [schedule.compute_temperature(progress) for progress in (0.0, 0.2, 0.4, 0.6, 1.0)]
    assert temperatures == pytest.approx([4, 4, 2, 1, 1])


def test_regularization_equals_hand_computed_values() -> None:
    trunk = build_blocks(blocks=2, sparsity=2.0, sharing=3.0, warmup=0.0, search_end=1.0)
    trunk.on_step_start(99, 100)
    probabilities = torch.tensor([[0.5, 0.2], [0.9, 0.2], [0.5, 0.8]])
    with torch.no_grad():
        trunk.policy.copy_(probabilities.logit())
    sparsity = probabilities.log().sum() / 3
    sharing = (0.4 + 0.0 + 0.4) / 3 * 1.0 + (0.0 + 0.6 + 0.6) / 3 * 0.5  # the first block counts most
    loss = trunk.regularization_loss()
    assert loss is not None
    torch.testing.assert_close(loss, 2 * sparsity + 3 * sharing)


def train_policy(trunk: SelectedBlocks, compute_loss: Any) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.Adam([trunk.policy], lr=0.1)
    for step in range(60):
        trunk.on_step_start(step, 60)
        optimizer.zero_grad()
        compute_loss().backward()
        optimizer.step()


def test_sparsity_skips_blocks_and_sharing_makes_policies_equal() -> None:
    phases = {"warmup": 0.0, "search_end": 1.0, "blocks": 2}
    sparse = build_blocks(sparsity=1.0, sharing=0.0, **phases).train()
    train_policy(sparse, sparse.regularization_loss)
    assert not sparse.get_decisions().any()
    shared = build_blocks(sparsity=0.0, sharing=1.0, **phases).train()
    set_policy(shared, [[1, 0], [0, 0], [1, 1]])
    before = shared.policy.detach().sigmoid().std(dim=0)
    train_policy(shared, shared.regularization_loss)
    assert (shared.policy.detach().sigmoid().std(dim=0) < before / 4).all()


def test_policy_learns_the_blocks_that_lower_the_loss() -> None:
    trunk = build_blocks(blocks=2, warmup=0.0, search_end=1.0, final_temperature=0.5).train()
    decisions = [[1, 0], [0, 1], [1, 1]]
    set_policy(trunk, decisions)
    inputs = draw(40, 6)
    targets = trunk.eval()(inputs, ALL_ACTIVE).values.detach()
    trunk.train().requires_grad_(False)
    trunk.policy.requires_grad_().data.zero_()
    train_policy(trunk, lambda: (trunk(inputs, ALL_ACTIVE).values - targets).square().mean() * 10)
    assert trunk.get_decisions().int().tolist() == decisions


def test_blocks_that_change_the_form_of_features_are_refused() -> None:
    with pytest.raises(MtlError, match="the output of a block is added to its input, but the backbone turns features"):
        build_noisy_architecture(AdaShare(blocks=1), IMAGES, ResidualCNN(channels=[4, 5], output="spatial"))
    assert build_noisy_architecture(AdaShare(), IMAGES, ResidualCNN(channels=[4], output="spatial")).output.width == 4


def test_search_that_ends_before_the_warmup_is_refused() -> None:
    with pytest.raises(ValueError, match=r"search_end is 0\.1, expected at least warmup, 0\.2"):
        AdaShare(warmup=0.2, search_end=0.1)
