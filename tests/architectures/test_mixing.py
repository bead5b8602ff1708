"""Cross-stitch networks and mixtures of experts: hand-computed mixes and invariants."""

from pathlib import Path
from typing import Any

import architecture_checks as checks
import pytest
import torch
from architecture_checks import OPTIMIZERS, TASKS, Block, build_noisy_architecture
from toy import toy_config, toy_network

from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.cross_stitch_module import CrossStitchNetwork, CrossStitchUnit
from mtl_architectures.mmoe import MMoE
from mtl_architectures.mmoe_module import MixtureOfExperts
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.plugins.specs import ArchitectureSpec
from mtl_core.runs.run import run_experiment
from mtl_text.lstm import LSTM

BLOCKS: dict[str, Block] = {
    "cross-stitch": {"type": "cross-stitch"},
    "per channel": {"type": "cross-stitch", "per_channel": True, "layers": 1, "same_task_weight": 0.5},
    "mmoe": {"type": "mmoe", "experts": 3},
}
SPECS: dict[str, ArchitectureSpec] = {
    "cross-stitch": CrossStitch(),
    "per channel": CrossStitch(per_channel=True, same_task_weight=0.5),
    "mmoe": MMoE(experts=3),
}
ALL_ACTIVE = [True] * 3
VECTORS = FeatureShape(6, sequence=False)
every_block = pytest.mark.parametrize("name", BLOCKS)


def draw_inputs(batch: int = 5, width: int = 6) -> Features:
    return Features(torch.randn(batch, width, generator=torch.Generator().manual_seed(1)))


def get_values(features: Features | None) -> torch.Tensor:
    assert features is not None
    return features.values


# ── invariants of every architecture ──


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@every_block
def test_parameters_of_an_unlabelled_task_are_unchanged(tmp_path: Path, name: str, optimizer: str) -> None:
    checks.check_unlabelled_tasks_unchanged(tmp_path, BLOCKS[name], optimizer)


@every_block
def test_task_specific_parameters_affect_one_task(tmp_path: Path, name: str) -> None:
    checks.check_task_specific_parameters(tmp_path, BLOCKS[name])


@every_block
def test_masked_labels_have_no_effect(tmp_path: Path, name: str) -> None:
    checks.check_masked_labels_have_no_effect(tmp_path, BLOCKS[name])


@every_block
def test_outputs_do_not_depend_on_the_active_tasks(tmp_path: Path, name: str) -> None:
    checks.check_outputs_independent_of_active_tasks(tmp_path, BLOCKS[name])


@pytest.mark.parametrize("name", SPECS)
def test_training_outputs_do_not_depend_on_the_active_tasks(name: str) -> None:
    """Dropout draws the same numbers, since all columns and experts run whichever tasks are active."""
    trunk = build_noisy_architecture(SPECS[name], VECTORS, MLP(hidden_dims=[6], dropout=0.5)).train()
    outputs = []
    for active in (ALL_ACTIVE, [False, True, False]):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            outputs.append(get_values(trunk(draw_inputs(), active)[1]))
    # Matrix products of one and of three tasks round differently; other dropout masks would change the values.
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-6)
    assert (outputs[0] != get_values(trunk.eval()(draw_inputs(), ALL_ACTIVE)[1])).any()


@every_block
def test_loaded_run_has_the_same_outputs(tmp_path: Path, name: str) -> None:
    checks.check_loaded_run_predictions(tmp_path, BLOCKS[name])


@every_block
def test_interrupted_run_resumes_bit_for_bit(tmp_path: Path, name: str) -> None:
    checks.check_resume_is_bitwise_equal(tmp_path, BLOCKS[name])


@pytest.mark.parametrize(
    "backbone",
    [MLP(hidden_dims=[6]), LSTM(hidden_dim=3, bidirectional=True, output="tokens")],
    ids=lambda s: s.type,
)
@pytest.mark.parametrize("name", SPECS)
def test_padding_changes_nothing(name: str, backbone: Any) -> None:
    checks.check_padding_invariance(SPECS[name], backbone)


@pytest.mark.parametrize("spec", [MMoE(), CrossStitch(layers=1)], ids=lambda spec: spec.type)
def test_a_backbone_may_turn_tokens_into_one_vector(spec: ArchitectureSpec) -> None:
    checks.check_padding_invariance(spec, LSTM(hidden_dim=3))


@pytest.mark.parametrize("name", SPECS)
def test_single_vectors_are_read(name: str) -> None:
    checks.check_single_vectors(SPECS[name])


@pytest.mark.parametrize("name", SPECS)
def test_every_weight_is_learned(name: str) -> None:
    trunk = build_noisy_architecture(SPECS[name], VECTORS)
    torch.stack([get_values(one).square().sum() for one in trunk(draw_inputs(), ALL_ACTIVE)]).sum().backward()  # type: ignore[no-untyped-call]
    for key, parameter in trunk.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key


@every_block
def test_single_task_is_supported(tmp_path: Path, name: str) -> None:
    config = toy_config(tmp_path, data={"type": "toy", "tasks": 1}, architecture=BLOCKS[name])
    run_experiment(config, tmp_path / "run")


# ── cross-stitch ──


def test_mix_equals_hand_computed_values() -> None:
    unit = CrossStitchUnit(tasks=2, width=3, same_task_weight=0.9, per_channel=False)
    first, second = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 20.0, 30.0]])
    torch.testing.assert_close(unit([first, second], [True, True])[0], torch.tensor([[1.9, 3.8, 5.7]]))
    torch.testing.assert_close(unit([first, second], [True, True])[1], torch.tensor([[9.1, 18.2, 27.3]]))
    with torch.no_grad():
        unit.weight[1].copy_(torch.tensor([2.0, -1.0]))
    [output] = unit([first, second], [False, True])
    torch.testing.assert_close(output, torch.tensor([[-8.0, -16.0, -24.0]]))


def test_channel_mix_equals_hand_computed_values() -> None:
    unit = CrossStitchUnit(tasks=2, width=3, same_task_weight=0.9, per_channel=True)
    first, second = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[10.0, 20.0, 30.0]]])
    torch.testing.assert_close(unit([first, second], [True, True])[0], torch.tensor([[[1.9, 3.8, 5.7]]]))
    with torch.no_grad():
        unit.weight[0].copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]))
    torch.testing.assert_close(unit([first, second], [True, False])[0], torch.tensor([[[1.0, 20.0, -24.0]]]))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_initial_weights_of_other_tasks_are_equal(tasks: int, per_channel: bool) -> None:
    rows = CrossStitchUnit(tasks, 4, 0.6, per_channel).weight
    assert rows.shape == ((tasks, tasks, 4) if per_channel else (tasks, tasks))
    torch.testing.assert_close(rows.sum(dim=1), torch.ones_like(rows.sum(dim=1)))
    if tasks > 1:
        diagonal, off_diagonal = torch.eye(tasks, dtype=torch.bool), ~torch.eye(tasks, dtype=torch.bool)
        torch.testing.assert_close(rows[diagonal], torch.full_like(rows[diagonal], 0.6))
        torch.testing.assert_close(rows[off_diagonal], torch.full_like(rows[off_diagonal], 0.4 / (tasks - 1)))


def build_stitched_columns(**fields: Any) -> CrossStitchNetwork:
    trunk = build_noisy_architecture(CrossStitch(**fields), VECTORS)
    assert isinstance(trunk, CrossStitchNetwork)
    return trunk


@pytest.mark.parametrize("per_channel", [False, True])
def test_units_at_identity_keep_columns_independent(per_channel: bool) -> None:
    trunk = build_stitched_columns(layers=2, same_task_weight=1.0, per_channel=per_channel)
    with torch.no_grad():  # `build_noisy_architecture` randomizes all weights
        for unit in trunk.units:
            for task, row in enumerate(unit.weight):  # type: ignore[arg-type]
                row.zero_()[task] = 1
    trunk.units.requires_grad_(False)
    outputs = trunk(draw_inputs(), ALL_ACTIVE)
    for task, column in enumerate(trunk.columns.values()):
        expected = draw_inputs()
        for layer in column:  # type: ignore[attr-defined]
            expected = layer(expected)
        assert torch.equal(get_values(outputs[task]), expected.values)
        get_values(outputs[task]).sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        has_gradient = [
            bool(p.grad is not None and p.grad.any()) for c in trunk.columns.values() for p in c.parameters()
        ]
        assert has_gradient == [index == task for index in range(3) for _ in column.parameters()]
        trunk.zero_grad()


def test_independent_columns_learn_like_single_tasks(tmp_path: Path) -> None:
    """With `same_task_weight: 1`, units start at identity; if they are frozen, columns are independent networks."""
    outputs = []
    for disabled_tasks in ([], ["t0", "t2"]):
        bench = checks.TrainingSetup(tmp_path, {"type": "cross-stitch", "same_task_weight": 1.0}, "momentum")
        bench.network.trunk.units.requires_grad_(False)
        bench.network.trunk.columns.apply(lambda module: setattr(module, "p", 0.0))  # type: ignore[union-attr]
        for _ in range(4):
            bench.run_step(without=disabled_tasks)
        outputs.append(bench.compute_outputs("t1"))
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-6)


def test_columns_start_equal_and_diverge(tmp_path: Path) -> None:
    _, network, _ = toy_network(toy_config(tmp_path, architecture=BLOCKS["cross-stitch"]))
    states = [column.state_dict() for column in network.trunk.columns.values()]  # type: ignore[operator]
    assert all(torch.equal(states[0][key], state[key]) for state in states for key in state)
    assert len({parameter.data_ptr() for parameter in network.parameters()}) == len(list(network.parameters()))
    bench = checks.TrainingSetup(tmp_path, BLOCKS["cross-stitch"])
    initial_rows = [row.clone() for unit in bench.network.trunk.units for row in unit.weight]  # type: ignore[union-attr]
    for _ in range(3):
        bench.run_step()
    columns = [column.state_dict() for column in bench.network.trunk.columns.values()]  # type: ignore[operator]
    assert not any(torch.equal(columns[0][key], column[key]) for column in columns[1:] for key in column)
    final_rows = [row for unit in bench.network.trunk.units for row in unit.weight]  # type: ignore[union-attr]
    assert all((after != before).any() for after, before in zip(final_rows, initial_rows, strict=True))


def test_every_column_feeds_every_task() -> None:
    trunk = build_stitched_columns()
    before = [get_values(one) for one in trunk(draw_inputs(), ALL_ACTIVE)]
    with torch.no_grad():
        trunk.columns["task-t2"][0].layers[0].bias += 1  # type: ignore[index]
    for task, one in enumerate(trunk(draw_inputs(), ALL_ACTIVE)):
        assert (get_values(one) != before[task]).any()


def test_a_backbone_that_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(MtlError, match=r"backbones cannot be stacked.*Choose `layers: 1`"):
        build_noisy_architecture(CrossStitch(), FeatureShape(6, sequence=True), LSTM())
    with pytest.raises(MtlError, match=r"^the backbone 'lstm' reads sequences"):
        build_noisy_architecture(CrossStitch(layers=1), VECTORS, LSTM())


# ── mixture of experts ──


def build_mixed_experts(**fields: Any) -> MixtureOfExperts:
    trunk = build_noisy_architecture(MMoE(**fields), VECTORS)
    assert isinstance(trunk, MixtureOfExperts)
    return trunk


def test_one_expert_is_hard_sharing(tmp_path: Path) -> None:
    networks = [
        toy_network(toy_config(tmp_path, architecture=architecture))
        for architecture in ({"type": "mmoe", "experts": 1}, HardSharing().model_dump())
    ]
    outputs = []
    for prepared, network, _ in networks:
        batch = prepared.examples.build_batch(prepared.split.train, checks.CPU)
        outputs.append([get_values(one) for one in network.eval().trunk(batch.inputs, ALL_ACTIVE) if one is not None])
    assert len(outputs[0]) == 3
    assert all(torch.equal(one, outputs[1][0]) for one in outputs[0])


def test_expert_weights_sum_to_one_and_start_equal() -> None:
    trunk = build_mixed_experts(experts=4)
    shares = trunk.gates(draw_inputs().mean_pool(), ALL_ACTIVE)
    assert shares.shape == (3, 5, 4)
    assert (shares > 0).all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(3, 5))
    assert (shares[0] != shares[1]).any()
    assert (shares[0, 0] != shares[0, 1]).any()
    torch.testing.assert_close(trunk.gates(draw_inputs().mean_pool(), [False, True, True]), shares[1:])
    with torch.no_grad():
        for parameter in trunk.gates.parameters():
            parameter.zero_()  # their initial value
    torch.testing.assert_close(trunk.gates(draw_inputs().mean_pool(), ALL_ACTIVE), torch.full((3, 5, 4), 0.25))


def test_gates_start_uniform(tmp_path: Path) -> None:
    _, network, _ = toy_network(toy_config(tmp_path, architecture=BLOCKS["mmoe"]))
    assert not any(parameter.any() for parameter in network.trunk.gates.parameters())  # type: ignore[union-attr]


def test_mixture_equals_hand_computed_values() -> None:
    trunk = build_mixed_experts(experts=2)
    experts = [expert(draw_inputs()).values for expert in trunk.experts]
    with torch.no_grad():
        trunk.gates.weight.zero_()
        for task, odds in enumerate((1.0, 3.0, 1e9)):
            trunk.gates.bias[task].copy_(torch.tensor([1.0, odds]).log())
    first, second, third = (get_values(one) for one in trunk(draw_inputs(), ALL_ACTIVE))
    torch.testing.assert_close(first, (experts[0] + experts[1]) / 2)
    torch.testing.assert_close(second, (experts[0] + 3 * experts[1]) / 4)
    torch.testing.assert_close(third, experts[1], rtol=0, atol=1e-6)


def test_a_gate_reads_the_mean_of_an_examples_tokens() -> None:
    trunk = build_noisy_architecture(MMoE(experts=2), FeatureShape(6, sequence=True))
    assert isinstance(trunk, MixtureOfExperts)
    tokens = Features(torch.randn(2, 4, 6), torch.tensor([[True, True, False, False], [True] * 4]))
    pooled = Features(torch.stack([tokens.values[0, :2].mean(dim=0), tokens.values[1].mean(dim=0)]))
    torch.testing.assert_close(trunk.gates(tokens.mean_pool(), ALL_ACTIVE), trunk.gates(pooled.mean_pool(), ALL_ACTIVE))


def test_gates_propagate_gradients_to_their_inputs() -> None:
    trunk, features = build_mixed_experts(), draw_inputs()
    features.values.requires_grad_()
    trunk.gates(features.mean_pool(), ALL_ACTIVE)[..., 0].sum().backward()
    assert features.values.grad is not None
    assert features.values.grad.any()


def test_tasks_share_the_experts_and_nothing_else(tmp_path: Path) -> None:
    bench = checks.TrainingSetup(tmp_path, BLOCKS["mmoe"])
    assert len(bench.network.trunk.stacked_parameters()) == 2
    before = {name: bench.compute_outputs(name) for name in TASKS}
    with torch.no_grad():
        for parameter in bench.network.trunk.gates.parameters():  # type: ignore[union-attr]
            parameter[1] += torch.randn_like(parameter[1])
    assert [bool((bench.compute_outputs(name) != before[name]).any()) for name in TASKS] == [False, True, False]
    with torch.no_grad():
        next(bench.network.trunk.experts[0].parameters()).add_(1)  # type: ignore[union-attr, index]
    assert all((bench.compute_outputs(name) != before[name]).any() for name in TASKS)
