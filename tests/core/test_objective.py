"""The objective and one training step, with outputs and losses chosen by hand."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from toy import task_block, toy_config, toy_network

from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import fit_task
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.errors import MtlError
from mtl_core.nn.heads import HeadOutput
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.non_finite import NonFiniteLossError
from mtl_core.training.objective import Objective
from mtl_core.training.optimizer import build_optimizer
from mtl_core.training.step import compute_losses, training_step

CPU = torch.device("cpu")


@dataclass(frozen=True)
class FirstRank(DistributedContext):
    """The first of two ranks, and the value of each sum on the other one."""

    world_size: int = 2
    other: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach() + self.other


def build_two_groups(folder: Path) -> tuple[Objective, Batch]:
    """Return the objective of three tasks, the last of which has a head group of its own, and a batch of 4 examples."""
    tasks = [task_block(name="t0"), task_block(name="t1"), task_block("toy-grouped", name="t2")]
    _, _, objective = toy_network(toy_config(folder, tasks=tasks, data={"type": "toy", "labelled": 1.0}))
    assert objective.group_sizes == [2, 1]
    targets = [torch.tensor([[0, 1], [1, 2], [2, 0], [0, 0]]), torch.tensor([[1], [1], [0], [2]])]
    return objective, Batch(None, targets, [None, None])


def build_outputs(non_finite: dict[tuple[int, int], float]) -> list[HeadOutput | None]:
    """Return outputs for three tasks and 4 examples, with other values for some tasks and examples."""
    outputs = torch.zeros(4, 3, 3)
    for (task, row), value in non_finite.items():
        outputs[row, task] = value
    return [HeadOutput(outputs[:, :2]), HeadOutput(outputs[:, 2:])]


@pytest.mark.parametrize(
    ("non_finite", "task", "rows"),
    [
        ({(0, 2): math.nan}, "t0", [2]),
        ({(1, 0): math.nan, (1, 3): math.nan}, "t1", [0, 3]),
        ({(2, 1): math.nan}, "t2", [1]),
        ({(1, 1): math.nan, (2, 0): math.nan}, "t1", [1]),
        ({(0, 1): math.nan, (1, 2): math.nan}, "t0", [1]),
    ],
)
def test_non_finite_loss_names_the_task_and_its_examples(
    tmp_path: Path, non_finite: dict[tuple[int, int], float], task: str, rows: list[int]
) -> None:
    objective, batch = build_two_groups(tmp_path)
    with pytest.raises(NonFiniteLossError) as error:
        objective.compute_task_losses(build_outputs(non_finite), batch, objective.compute_masks(batch))
    assert task in str(error.value)
    assert error.value.indices == rows


def test_non_finite_loss_of_another_rank_has_no_examples_here(tmp_path: Path) -> None:
    objective, batch = build_two_groups(tmp_path)
    objective._distributed = FirstRank(other=torch.tensor([[0.0, 0.0, math.inf], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    outputs = build_outputs({})
    with pytest.raises(NonFiniteLossError, match="t2") as error:
        objective.compute_task_losses([outputs[0], None], batch, objective.compute_masks(batch))
    assert error.value.indices == []


def test_losses_of_uniform_outputs(tmp_path: Path) -> None:
    objective, batch = build_two_groups(tmp_path)
    losses = objective.compute_task_losses(build_outputs({}), batch, objective.compute_masks(batch))
    assert losses.values.tolist() == pytest.approx([math.log(3)] * 3)
    assert losses.counts.tolist() == [4, 4, 4]
    assert float(objective.compute_total(losses).detach()) == pytest.approx(3 * math.log(3))


def test_total_of_no_losses_is_0(tmp_path: Path) -> None:
    objective, _ = build_two_groups(tmp_path)
    none = TaskLosses(torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    total = objective.compute_total(none)
    assert total.shape == ()
    assert float(total) == 0


def test_disabled_tasks_have_no_loss(tmp_path: Path) -> None:
    objective, batch = build_two_groups(tmp_path)
    objective.disable_tasks([False, True, True])
    assert objective.active_groups == [True, False]
    masks = objective.compute_masks(batch)
    assert [mask.any(dim=0).tolist() for mask in masks] == [[True, False], [False]]
    objective, _ = build_two_groups(tmp_path)
    objective.disable_tasks([True, True, False])
    assert objective.active_groups == [False, True]


def test_task_of_weight_0_is_masked(tmp_path: Path) -> None:
    tasks = [task_block(name=name, weight=weight) for name, weight in (("t0", 0), ("t1", 0.5), ("t2", 2))]
    data, _, objective = toy_network(toy_config(tmp_path, tasks=tasks))
    batch = data.examples.build_batch(data.split.train, CPU)
    [mask] = objective.compute_masks(batch)
    assert mask.any(dim=0).tolist() == [False, True, True]
    losses = TaskLosses(torch.tensor([3.0, 5.0]), torch.tensor([1, 2]), torch.tensor([0, 1, 1]))
    assert float(objective.compute_total(losses)) == 0.5 * 3 + 2 * 5


def test_examples_of_weight_0_are_masked(tmp_path: Path) -> None:
    objective, batch = build_two_groups(tmp_path)
    label_weights = torch.tensor([[1.0, 0.0], [0.5, 1.0], [0.0, 0.0], [2.0, 1.0]])
    masks = objective.compute_masks(Batch(None, batch.targets, [label_weights, None]))
    assert masks[0].tolist() == (label_weights > 0).tolist()
    assert bool(masks[1].all())


def test_weighting_receives_the_mean_losses_of_an_epoch() -> None:
    """DWA: from the third epoch on, the factors depend on the losses of the two last epochs."""
    run = SampleRun(DynamicWeightAverage())
    for losses in ([1.0, 1.0, 1.0, 1.0], [0.5, 1.0, 2.0, None]):
        run.objective.on_epoch_end(losses)
    factors = run.objective.weighting.state_dict()["factors"]
    assert factors.tolist() == pytest.approx((4 * torch.softmax(torch.tensor([0.25, 0.5, 1.0, 0.5]), dim=0)).tolist())


class RecordingObserver:
    """Records the losses that it receives and recomputes."""

    def __init__(self) -> None:
        self.losses: list[list[float]] = []
        self.recomputed: list[list[float]] = []
        self.requires_grad: list[bool] = []

    def before_step(
        self, losses: TaskLosses, gradients: StepGradients, recompute_losses: Callable[[], TaskLosses]
    ) -> None:
        self.losses.append(losses.values.tolist())
        assert gradients.jacobian(losses.values, gradients.shared).shape[0] == len(losses.values)
        for _ in range(2):
            recomputed = recompute_losses()
            self.recomputed.append(recomputed.values.tolist())
            self.requires_grad.append(recomputed.values.requires_grad)


def run_steps(folder: Path, observer: RecordingObserver | None, max_grad_norm: float | None = None) -> dict[str, Any]:
    """Run three steps of a network with dropout, and return its weights."""
    torch.manual_seed(0)
    config = toy_config(folder)
    data, network, objective = toy_network(config)
    accelerator = Accelerator(cpu=True)
    optimizer = build_optimizer(config, network, objective)
    gradients = StepGradients(accelerator, network, objective.group_sizes)
    batch = data.examples.build_batch(data.split.train, CPU)
    network.train()
    for _ in range(3):
        training_step(gradients, network, objective, optimizer, batch, max_grad_norm, observer)
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_observer_recomputes_the_losses_of_the_step_and_changes_nothing(tmp_path: Path) -> None:
    observer = RecordingObserver()
    observed, expected = run_steps(tmp_path, observer), run_steps(tmp_path, None)
    assert all(torch.equal(observed[name], value) for name, value in expected.items())
    assert len(observer.losses) == 3
    assert observer.recomputed == [losses for losses in observer.losses for _ in range(2)]
    assert not any(observer.requires_grad)


def test_step_returns_the_losses_with_their_weights() -> None:
    run = SampleRun(WeightedSum())
    expected = run.compute_losses().values.tolist()
    losses = run.run_step()
    assert losses.values.tolist() == expected
    assert losses.values.grad is not None
    assert losses.values.grad.tolist() == [1.0] * 4


@pytest.mark.parametrize("max_grad_norm", [None, 1e-3])
def test_step_of_sgd_moves_by_the_clipped_gradient(max_grad_norm: float | None) -> None:
    run = SampleRun(WeightedSum())
    parameters = list(run.network.parameters())
    gradients = torch.autograd.grad(run.compute_losses().values.sum(), parameters)
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    scale = 1.0 if max_grad_norm is None else float(max_grad_norm / norm)
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.SGD(parameters, lr=0.5)
    training_step(run.gradients, run.network, run.objective, optimizer, run.create_batch(range(4)), max_grad_norm)
    for parameter, start, gradient in zip(parameters, before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), start - 0.5 * scale * gradient, rtol=1e-4, atol=1e-7)


def test_gradients_of_an_earlier_step_are_not_added() -> None:
    run = SampleRun(WeightedSum())
    for parameter in run.network.parameters():
        parameter.grad = torch.full_like(parameter, 100.0)
    run.run_step()
    assert all(float(p.grad.abs().max()) < 50 for p in run.network.parameters() if p.grad is not None)


def test_batch_without_labels_changes_nothing() -> None:
    run = SampleRun(WeightedSum())
    run.run_step()
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    assert run.run_step(()).values.tolist() == []
    assert all(torch.equal(before[name], value) for name, value in run.network.state_dict().items())


@pytest.mark.parametrize(("distributed", "factor"), [(DistributedContext(), 3.0), (FirstRank(), 1.5)])
def test_regularization_loss_is_added_once_over_all_ranks(distributed: DistributedContext, factor: float) -> None:
    gradients = []
    for strength in (0.0, 3.0):
        run = SampleRun(WeightedSum())
        run.objective._distributed = distributed
        losses = run.compute_losses() if distributed.world_size == 1 else build_losses_of_the_batch(run)
        regularization_loss = strength * torch.cat([parameter.flatten() for parameter in run.gradients.shared]).sum()
        run.objective.backward(losses, regularization_loss, run.gradients)
        gradients.append(torch.cat([p.grad.flatten() for p in run.gradients.shared if p.grad is not None]))
    torch.testing.assert_close(gradients[1] - gradients[0], torch.full_like(gradients[0], factor), rtol=1e-4, atol=1e-4)


def build_losses_of_the_batch(run: SampleRun) -> TaskLosses:
    """Return the losses of one process, for an objective that belongs to the first of two."""
    run.objective._distributed, distributed = DistributedContext(), run.objective._distributed
    losses = run.compute_losses()
    run.objective._distributed = distributed
    return losses


def test_step_includes_the_regularization_loss_of_the_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half the squared weights as the loss, a step of size 0.5 removes half of each weight."""
    plain, regularized = SampleRun(WeightedSum()), SampleRun(WeightedSum())
    shared = regularized.gradients.shared
    start = [parameter.detach().clone() for parameter in shared]
    monkeypatch.setattr(
        regularized.network.trunk,
        "regularization_loss",
        lambda: 0.5 * torch.cat([parameter.flatten() for parameter in shared]).square().sum(),
    )
    for run in (plain, regularized):
        optimizer = torch.optim.SGD(run.network.parameters(), lr=0.5)
        training_step(run.gradients, run.network, run.objective, optimizer, run.create_batch(range(4)), None)
    for parameter, expected, before in zip(shared, plain.gradients.shared, start, strict=True):
        torch.testing.assert_close(parameter.detach(), expected.detach() - 0.5 * before, rtol=1e-4, atol=1e-6)


def test_weighting_can_recompute_the_losses_after_the_step() -> None:
    """FAMO on the same batch: the logits change by the decrease of the losses in the first step."""
    run = SampleRun(FAMO(lr=0.2, same_batch=True))
    losses = run.run_step()
    after = run.compute_losses().values.detach()
    decreases = losses.values.detach().log() - after.log()
    logits = run.objective.weighting.state_dict()["logits"]
    assert torch.equal(logits < 0, decreases > decreases.mean())
    assert logits.abs().tolist() == pytest.approx([0.2] * 4, rel=1e-3)


def test_losses_are_weighted_means_over_labels(tmp_path: Path) -> None:
    """The predicted probability of every class is 1/3, except for t0 in the first example: 1/2, 1/4, 1/4."""
    objective, batch = build_two_groups(tmp_path)
    outputs = torch.zeros(4, 2, 3)
    outputs[0, 0, 0] = math.log(2)
    label_weights = torch.tensor([[3.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    weighted_batch = Batch(None, batch.targets, [label_weights, None])
    head_outputs: list[HeadOutput | None] = [HeadOutput(outputs), HeadOutput(torch.zeros(4, 1, 3))]
    losses = objective.compute_task_losses(head_outputs, weighted_batch, objective.compute_masks(weighted_batch))
    expected = [(3 * math.log(2) + math.log(3)) / 4, math.log(3), math.log(3)]
    assert losses.values.tolist() == pytest.approx(expected)
    assert losses.counts.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("is_duplicated", "r_drop", "has_divergence"), [(True, 0.5, 1), (True, 0.0, 0), (False, 0.5, 0)]
)
def test_r_drop_applies_to_duplicated_batches(
    tmp_path: Path, is_duplicated: bool, r_drop: float, has_divergence: int
) -> None:
    """The log-probabilities of two equal examples differ by the log-odds of 2 : 1 and 1 : 2 for two classes."""
    config = toy_config(tmp_path, tasks=[task_block(name="t0", kind={"type": "binary", "classes": ["c0", "c1"]})],
                        data={"type": "toy", "classes": 2})  # fmt: skip
    data, _, _ = toy_network(config)
    objective = Objective(data.groups, config.weighting, r_drop=r_drop)
    log_odds = torch.tensor([math.log(2), -math.log(2)]).view(2, 1, 1)
    batch = Batch(None, [torch.ones(2, 1, dtype=torch.int64)], [None], is_duplicated=is_duplicated)
    losses = objective.compute_task_losses([HeadOutput(log_odds)], batch, objective.compute_masks(batch))
    divergence = (2 / 3 - 1 / 3) * math.log(2)  # of 2/3 and 1/3, the same in both directions
    expected = (math.log(3 / 2) + math.log(3)) / 2 + has_divergence * 0.5 * divergence
    assert losses.values.tolist() == pytest.approx([expected])


def test_network_computes_outputs_of_labelled_examples() -> None:
    """A token task is computed for examples with any labelled token."""
    masks = [
        torch.tensor([[True, False], [False, False]]),
        torch.tensor([[[False, True, False]], [[False, False, False]]]),
    ]
    batch = Batch(torch.tensor([5.0]), [], [], {1: torch.tensor([7.0])})
    received: list[Any] = []

    class Recorder:
        def compute_masks(self, _: Batch) -> list[torch.Tensor]:
            return masks

        def compute_task_losses(self, *arguments: Any) -> Any:
            return arguments

    def network(*arguments: Any) -> str:
        received.extend(arguments)
        return "outputs"

    result: Any = compute_losses(network, Recorder(), batch)  # type: ignore[arg-type]
    assert result == ("outputs", batch, masks)
    inputs, output_masks, masked_inputs = received
    assert inputs is batch.inputs
    assert [mask.tolist() for mask in output_masks] == [[[True, False], [False, False]], [[True], [False]]]
    assert masked_inputs is batch.masked_inputs


# ── masks ──


def build_groups(level: str, *weights: float) -> list[TaskGroup]:
    """Return the head groups of tasks with two classes each."""
    kind, head = ("classification", "linear") if level == "example" else ("token-tagging", "token-linear")
    return group_tasks(
        [
            fit_task(
                NamedTask.model_validate({"name": f"t{index}", "kind": kind, "head": head, "weight": weight}),
                LabelStatistics(["a", "b"] if level == "example" else [["a", "b"]], ["a", "b"]),
            )
            for index, weight in enumerate(weights)
        ]
    )


def test_masks_of_token_tasks_exclude_examples_and_tasks_of_weight_0() -> None:
    """Two examples, three tasks, two tokens; the second task has the weight 0."""
    [group] = build_groups("token", 1.0, 0.0, 0.5)
    objective = Objective([group], WeightedSum())
    targets = torch.tensor([[[0, 1], [1, 1], [-1, 0]], [[1, -1], [0, 0], [1, 1]]])
    [mask] = objective.compute_masks(Batch(None, [targets], [None]))
    assert mask.tolist() == [
        [[True, True], [False, False], [False, True]],
        [[True, False], [False, False], [True, True]],
    ]
    label_weights = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    [mask] = objective.compute_masks(Batch(None, [targets], [label_weights]))
    assert mask.tolist() == [
        [[True, True], [False, False], [False, False]],
        [[False, False], [False, False], [True, True]],
    ]


def test_weights_belong_to_the_tasks_of_each_group() -> None:
    groups = [group for weight in (1.0, 0.0, 2.0, 0.0) for group in build_groups("example", weight)]
    objective = Objective(groups, WeightedSum())
    batch = Batch(None, [torch.zeros(1, 1, dtype=torch.int64)] * 4, [None] * 4)
    assert [mask.item() for mask in objective.compute_masks(batch)] == [True, False, True, False]
    assert objective.active_groups == [True, False, True, False]


@pytest.mark.parametrize(
    ("level", "result", "message"),
    [
        ("example", torch.ones(2, 1), r"returned torch.float32 of shape \(2, 1\), .* \(2, 1\): \(batch, tasks\)$"),
        ("example", torch.ones(1, 2).bool(), r"torch.bool of shape \(1, 2\), expected torch.bool of shape \(2, 1\)"),
        ("example", torch.ones(2, 1, 3).bool(), r"expected torch.bool of shape \(2, 1\): \(batch, tasks\)$"),
        ("token", torch.ones(2, 1).bool(), r"expected torch.bool of shape \(2, 1, 3\): \(batch, tasks, length\)$"),
    ],
)
def test_invalid_masks_are_refused(level: str, result: torch.Tensor, message: str) -> None:
    [group] = build_groups(level, 1.0)
    objective = Objective([replace(group, mask=lambda _: result)], WeightedSum())
    targets = torch.zeros((2, 1) if level == "example" else (2, 1, 3), dtype=torch.int64)
    with pytest.raises(MtlError, match=message):
        objective.compute_masks(Batch(None, [targets], [None]))


# ── weighting ──


def test_weighting_receives_the_step_and_a_seed_per_step_and_run() -> None:
    received: dict[tuple[int, int], tuple[int, int, int]] = {}
    for seed in (1, 2):
        objective = Objective(build_groups("example", 1.0), WeightedSum(), seed)

        def record(*arguments: int, seed: int = seed) -> None:
            received[seed, arguments[0]] = arguments  # type: ignore[assignment]

        objective.weighting.on_step_start = record  # type: ignore[assignment]
        for step in range(3):
            objective.on_step_start(step, 10)
    assert [(step, total) for step, total, _ in received.values()] == [(0, 10), (1, 10), (2, 10)] * 2
    assert len({seed for _, _, seed in received.values()}) == 6


def test_weighting_is_built_for_the_names_and_weights_of_the_tasks(tmp_path: Path) -> None:
    weighting = {"type": "smooth-tchebycheff", "ideal": {"t1": 0.5}}
    tasks = [task_block(name=name, weight=weight) for name, weight in (("t0", 1), ("t1", 2), ("t2", 3))]
    _, _, objective = toy_network(toy_config(tmp_path, weighting=weighting, tasks=tasks))
    assert objective.names == ["t0", "t1", "t2"]
    assert objective.weighting.ideal.tolist() == [0.0, 0.5, 0.0]  # type: ignore[operator]
    assert objective.weighting.weights.tolist() == [1.0, 2.0, 3.0]  # type: ignore[operator]
