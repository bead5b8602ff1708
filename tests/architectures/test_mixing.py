"""Cross-stitch networks and mixtures of experts: hand-computed mixes and invariants."""

from pathlib import Path
from typing import Any

import architecture_checks as checks
import pytest
import torch
from architecture_checks import OPTIMIZERS, TASKS, Block, built
from toy import toy_config, toy_network

from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.cross_stitch_module import CrossStitchUnit, StitchedColumns
from mtl_architectures.mmoe import MMoE
from mtl_architectures.mmoe_module import MixedExperts
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.builtins.architectures import HardSharing
from mtl_core.builtins.backbones import MLP
from mtl_core.runs.run import run_experiment
from mtl_core.specs import ArchitectureSpec
from mtl_text.lstm import LSTM

BLOCKS: dict[str, Block] = {
    "cross-stitch": {"type": "cross-stitch"},
    "per channel": {"type": "cross-stitch", "per_channel": True, "layers": 1, "same": 0.5},
    "mmoe": {"type": "mmoe", "experts": 3},
}
SPECS: dict[str, ArchitectureSpec] = {
    "cross-stitch": CrossStitch(),
    "per channel": CrossStitch(per_channel=True, same=0.5),
    "mmoe": MMoE(experts=3),
}
ALL = [True] * 3
VECTORS = FeatureShape(6, sequence=False)
every_block = pytest.mark.parametrize("name", BLOCKS)


def given(batch: int = 5, width: int = 6) -> Features:
    return Features(torch.randn(batch, width, generator=torch.Generator().manual_seed(1)))


def values(features: Features | None) -> torch.Tensor:
    assert features is not None
    return features.values


# ── invariants of every architecture ──


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@every_block
def test_what_belongs_to_an_idle_task_stays(tmp_path: Path, name: str, optimizer: str) -> None:
    checks.check_idle_tasks_stay(tmp_path, BLOCKS[name], optimizer)


@every_block
def test_a_task_owns_what_it_alone_reads(tmp_path: Path, name: str) -> None:
    checks.check_a_task_owns_what_it_alone_reads(tmp_path, BLOCKS[name])


@every_block
def test_labels_that_do_not_count_say_nothing(tmp_path: Path, name: str) -> None:
    checks.check_labels_that_do_not_count_say_nothing(tmp_path, BLOCKS[name])


@every_block
def test_who_is_asked_changes_no_answer(tmp_path: Path, name: str) -> None:
    checks.check_who_is_asked_changes_no_answer(tmp_path, BLOCKS[name])


@pytest.mark.parametrize("name", SPECS)
def test_who_is_active_changes_nothing_in_training_either(name: str) -> None:
    """Dropout draws the same numbers, since all columns and experts run whichever tasks are active."""
    body = built(SPECS[name], VECTORS, MLP(hidden_dims=[6], dropout=0.5)).train()
    found = []
    for active in (ALL, [False, True, False]):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            found.append(values(body(given(), active)[1]))
    assert torch.equal(*found)
    assert (found[0] != values(body.eval()(given(), ALL)[1])).any()


@every_block
def test_a_loaded_run_says_the_same(tmp_path: Path, name: str) -> None:
    checks.check_a_loaded_run_says_the_same(tmp_path, BLOCKS[name])


@every_block
def test_a_run_that_was_cut_off_resumes_to_the_same_bits(tmp_path: Path, name: str) -> None:
    checks.check_resumes_to_the_same_bits(tmp_path, BLOCKS[name])


@pytest.mark.parametrize(
    "backbone",
    [MLP(hidden_dims=[6]), LSTM(hidden_dim=3, bidirectional=True, output="tokens")],
    ids=lambda s: s.type,
)
@pytest.mark.parametrize("name", SPECS)
def test_padding_changes_nothing(name: str, backbone: Any) -> None:
    checks.check_padding_changes_nothing(SPECS[name], backbone)


@pytest.mark.parametrize("spec", [MMoE(), CrossStitch(layers=1)], ids=lambda spec: spec.type)
def test_a_backbone_may_turn_tokens_into_one_vector(spec: ArchitectureSpec) -> None:
    checks.check_padding_changes_nothing(spec, LSTM(hidden_dim=3))


@pytest.mark.parametrize("name", SPECS)
def test_single_vectors_are_read(name: str) -> None:
    checks.check_single_vectors(SPECS[name])


@pytest.mark.parametrize("name", SPECS)
def test_every_weight_is_learned(name: str) -> None:
    body = built(SPECS[name], VECTORS)
    torch.stack([values(one).square().sum() for one in body(given(), ALL)]).sum().backward()
    for key, parameter in body.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key


@every_block
def test_one_task_alone_is_allowed(tmp_path: Path, name: str) -> None:
    config = toy_config(tmp_path, data={"type": "toy", "tasks": 1}, architecture=BLOCKS[name])
    run_experiment(config, tmp_path / "run")


# ── cross-stitch ──


def test_a_mix_by_hand() -> None:
    unit = CrossStitchUnit(tasks=2, width=3, same=0.9, per_channel=False)
    first, second = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 20.0, 30.0]])
    torch.testing.assert_close(unit([first, second], [True, True])[0], torch.tensor([[1.9, 3.8, 5.7]]))
    torch.testing.assert_close(unit([first, second], [True, True])[1], torch.tensor([[9.1, 18.2, 27.3]]))
    with torch.no_grad():
        unit.rows[1].copy_(torch.tensor([2.0, -1.0]))
    idle, mixed = unit([first, second], [False, True])
    assert idle is None
    torch.testing.assert_close(mixed, torch.tensor([[-8.0, -16.0, -24.0]]))


def test_a_mix_of_channels_by_hand() -> None:
    unit = CrossStitchUnit(tasks=2, width=3, same=0.9, per_channel=True)
    first, second = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[10.0, 20.0, 30.0]]])
    torch.testing.assert_close(unit([first, second], [True, True])[0], torch.tensor([[[1.9, 3.8, 5.7]]]))
    with torch.no_grad():
        unit.rows[0].copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]))
    torch.testing.assert_close(unit([first, second], [True, False])[0], torch.tensor([[[1.0, 20.0, -24.0]]]))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_the_others_share_equally_what_is_left(tasks: int, per_channel: bool) -> None:
    rows = torch.stack(list(CrossStitchUnit(tasks, 4, 0.6, per_channel).rows))
    assert rows.shape == ((tasks, tasks, 4) if per_channel else (tasks, tasks))
    torch.testing.assert_close(rows.sum(dim=1), torch.ones_like(rows.sum(dim=1)))
    if tasks > 1:
        own, others = torch.eye(tasks, dtype=torch.bool), ~torch.eye(tasks, dtype=torch.bool)
        torch.testing.assert_close(rows[own], torch.full_like(rows[own], 0.6))
        torch.testing.assert_close(rows[others], torch.full_like(rows[others], 0.4 / (tasks - 1)))


def stitched(**fields: Any) -> StitchedColumns:
    body = built(CrossStitch(**fields), VECTORS)
    assert isinstance(body, StitchedColumns)
    return body


@pytest.mark.parametrize("per_channel", [False, True])
def test_units_at_identity_leave_the_columns_to_themselves(per_channel: bool) -> None:
    body = stitched(layers=2, same=1.0, per_channel=per_channel)
    with torch.no_grad():  # `built` randomizes all weights
        for unit in body.units:
            for task, row in enumerate(unit.rows):  # type: ignore[union-attr, arg-type]
                row.zero_()[task] = 1
    body.units.requires_grad_(False)
    found = body(given(), ALL)
    for task, column in enumerate(body.columns.values()):
        expected = given()
        for layer in column:  # type: ignore[union-attr]
            expected = layer(expected)
        assert torch.equal(values(found[task]), expected.values)
        values(found[task]).sum().backward(retain_graph=True)
        moved = [bool(p.grad is not None and p.grad.any()) for c in body.columns.values() for p in c.parameters()]
        assert moved == [place == task for place in range(3) for _ in column.parameters()]
        body.zero_grad()


def test_with_all_of_its_own_a_task_learns_as_if_alone(tmp_path: Path) -> None:
    """With `same: 1`, the units start at identity; if they are frozen, the columns are independent networks."""
    found = []
    for silent in ([], ["t0", "t2"]):
        bench = checks.Bench(tmp_path, {"type": "cross-stitch", "same": 1.0}, "momentum")
        bench.network.body.units.requires_grad_(False)  # type: ignore[union-attr]
        bench.network.body.columns.apply(lambda module: setattr(module, "p", 0.0))  # type: ignore[union-attr]
        for _ in range(4):
            bench.step(without=silent)
        found.append(bench.outputs("t1"))
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_columns_begin_alike_and_part(tmp_path: Path) -> None:
    _, network, _ = toy_network(toy_config(tmp_path, architecture=BLOCKS["cross-stitch"]))
    states = [column.state_dict() for column in network.body.columns.values()]  # type: ignore[union-attr, operator]
    assert all(torch.equal(states[0][key], state[key]) for state in states for key in state)
    assert len({parameter.data_ptr() for parameter in network.parameters()}) == len(list(network.parameters()))
    bench = checks.Bench(tmp_path, BLOCKS["cross-stitch"])
    rows = [row.clone() for unit in bench.network.body.units for row in unit.rows]  # type: ignore[union-attr]
    for _ in range(3):
        bench.step()
    columns = [column.state_dict() for column in bench.network.body.columns.values()]  # type: ignore[union-attr, operator]
    assert not any(torch.equal(columns[0][key], column[key]) for column in columns[1:] for key in column)
    moved = [row for unit in bench.network.body.units for row in unit.rows]  # type: ignore[union-attr]
    assert all((after != before).any() for after, before in zip(moved, rows, strict=True))


def test_every_column_feeds_every_task() -> None:
    body = stitched()
    before = [values(one) for one in body(given(), ALL)]
    with torch.no_grad():
        body.columns["task-t2"][0].layers[0].bias += 1  # type: ignore[index, union-attr]
    for task, one in enumerate(body(given(), ALL)):
        assert (values(one) != before[task]).any()


def test_a_backbone_that_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(MtlError, match=r"backbones cannot be stacked.*Choose `layers: 1`"):
        built(CrossStitch(), FeatureShape(6, sequence=True), LSTM())
    with pytest.raises(MtlError, match=r"^the backbone 'lstm' reads sequences"):
        built(CrossStitch(layers=1), VECTORS, LSTM())


# ── mixture of experts ──


def mixed(**fields: Any) -> MixedExperts:
    body = built(MMoE(**fields), VECTORS)
    assert isinstance(body, MixedExperts)
    return body


def test_one_expert_is_hard_sharing(tmp_path: Path) -> None:
    networks = [
        toy_network(toy_config(tmp_path, architecture=architecture))
        for architecture in ({"type": "mmoe", "experts": 1}, HardSharing().model_dump())
    ]
    said = []
    for prepared, network, _ in networks:
        batch = prepared.examples.batch(prepared.split.train, checks.CPU)
        said.append([values(one) for one in network.eval().body(batch.inputs, ALL) if one is not None])
    assert len(said[0]) == 3
    assert all(torch.equal(one, said[1][0]) for one in said[0])


def test_shares_sum_to_one_begin_equal_and_differ_between_tasks_and_examples() -> None:
    body = mixed(experts=4)
    shares = body.shares(given(), ALL)
    assert shares.shape == (3, 5, 4)
    assert (shares > 0).all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(3, 5))
    assert (shares[0] != shares[1]).any()
    assert (shares[0, 0] != shares[0, 1]).any()
    torch.testing.assert_close(body.shares(given(), [False, True, True]), shares[1:])
    with torch.no_grad():
        for parameter in body.gates.parameters():
            parameter.zero_()  # their initial value
    torch.testing.assert_close(body.shares(given(), ALL), torch.full((3, 5, 4), 0.25))


def test_gates_are_made_undecided(tmp_path: Path) -> None:
    _, network, _ = toy_network(toy_config(tmp_path, architecture=BLOCKS["mmoe"]))
    assert not any(parameter.any() for parameter in network.body.gates.parameters())  # type: ignore[union-attr]


def test_a_mixture_by_hand() -> None:
    body = mixed(experts=2)
    experts = [expert(given()).values for expert in body.experts]
    with torch.no_grad():
        for gate in body.gates.values():
            gate.weight.zero_()  # type: ignore[union-attr, operator]
        for name, odds in (("t0", 1.0), ("t1", 3.0), ("t2", 1e9)):
            body.gates[f"task-{name}"].bias.copy_(torch.tensor([1.0, odds]).log())  # type: ignore[union-attr, operator]
    first, second, third = (values(one) for one in body(given(), ALL))
    torch.testing.assert_close(first, (experts[0] + experts[1]) / 2)
    torch.testing.assert_close(second, (experts[0] + 3 * experts[1]) / 4)
    torch.testing.assert_close(third, experts[1], rtol=0, atol=1e-6)


def test_a_gate_reads_the_mean_of_an_examples_tokens() -> None:
    body = built(MMoE(experts=2), FeatureShape(6, sequence=True))
    assert isinstance(body, MixedExperts)
    tokens = Features(torch.randn(2, 4, 6), torch.tensor([[True, True, False, False], [True] * 4]))
    pooled = Features(torch.stack([tokens.values[0, :2].mean(dim=0), tokens.values[1].mean(dim=0)]))
    torch.testing.assert_close(body.shares(tokens, ALL), body.shares(pooled, ALL))


def test_gates_are_learned_through_by_the_input_layer() -> None:
    body, features = mixed(), given()
    features.values.requires_grad_()
    body.shares(features, ALL)[..., 0].sum().backward()
    assert features.values.grad is not None
    assert features.values.grad.any()


def test_tasks_share_the_experts_and_nothing_else(tmp_path: Path) -> None:
    bench = checks.Bench(tmp_path, BLOCKS["mmoe"])
    assert all(len(bench.network.body.task_parameters(task)) == 2 for task in range(len(TASKS)))
    before = {name: bench.outputs(name) for name in TASKS}
    with torch.no_grad():
        for parameter in bench.network.body.gates["task-t1"].parameters():  # type: ignore[union-attr, index]
            parameter += torch.randn_like(parameter)
    assert [bool((bench.outputs(name) != before[name]).any()) for name in TASKS] == [False, True, False]
    with torch.no_grad():
        next(bench.network.body.experts[0].parameters()).add_(1)  # type: ignore[union-attr, index]
    assert all((bench.outputs(name) != before[name]).any() for name in TASKS)
