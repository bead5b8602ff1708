"""The parts for a custom loop train as the framework's own loop does, for every weighting."""

from copy import deepcopy

import pytest
import torch

from mtl_core.builtins.optimizers import Adam
from mtl_core.errors import MtlError
from mtl_core.nn.heads import SeparateHeads
from mtl_core.plugins.active_registry import get_active_registry
from mtl_core.plugins.resolve_spec import resolve_spec
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.sample_run import LABELS, TASKS, SampleRun
from mtl_core.training.backward import backward
from mtl_core.training.freeze_unlabelled import freeze_unlabelled
from mtl_core.training.masked_losses import MaskedLosses
from mtl_core.training.named_losses import NamedLosses
from mtl_core.training.task_weighting import TaskWeighting

WEIGHTINGS = sorted(get_active_registry().get_specs("weightings"))
OPTIONS: dict[str, dict[str, object]] = {
    "constant": {"weights": {"first": 3.0}},
    "famo": {"same_batch": True},
    "graddrop": {"leak": {"first": 0.5}},
    "krum": {"n_byzantine": 0, "n_selected": 1},
}
STATEFUL = {"cr-mogm", "dwa", "excess-mtl", "famo", "gradnorm", "gradvac", "nash-mtl", "pcd", "uncertainty"}
ACTIVE_TASKS = [(0, 1, 2, 3), (0, 1), (0, 1, 2, 3), (2,), (), (1, 2, 3), (0, 1, 2, 3)]
"""The tasks with labels in each step."""


def build_spec(name: str) -> WeightingSpec:
    spec = resolve_spec("weightings", {"type": name, **OPTIONS.get(name, {})}, "weighting")
    assert isinstance(spec, WeightingSpec)
    return spec


class OwnLoop:
    """A bare loop over the network, batches and optimizer settings of a `SampleRun`."""

    def __init__(self, run: SampleRun, weighting: object, weight_decay: float = 0.0) -> None:
        self.run = run
        self.network = deepcopy(run.network)
        self.criterion = MaskedLosses(dict.fromkeys(TASKS, "classification"))
        self.weighting = TaskWeighting(weighting, TASKS, seed=1)
        parameters = [*self.network.parameters(), *self.weighting.parameters()]
        self.optimizer = Adam(lr=0.02, weight_decay=weight_decay).build(parameters)

    def compute_losses(self, active: tuple[int, ...]) -> NamedLosses:
        batch = self.run.create_batch(active)
        features = self.network.trunk(batch.inputs, [True])[0]
        [group] = self.network.groups
        assert isinstance(group, SeparateHeads)
        outputs = {name: head(features) for name, head in zip(TASKS, group.heads.values(), strict=True)}
        losses: NamedLosses = self.criterion(outputs, dict(zip(TASKS, batch.targets[0].unbind(dim=1), strict=True)))
        return losses

    def run_step(self, active: tuple[int, ...], shared: torch.nn.Module | None = None) -> None:
        self.optimizer.zero_grad()
        losses = self.compute_losses(active)
        backward(losses, self.weighting, shared=shared)
        with freeze_unlabelled(losses, self.optimizer):
            self.optimizer.step()
        if losses and self.weighting.weighting.recomputes_losses:
            self.weighting.on_step_end(lambda: self.compute_losses(active))


def train_both(name: str, use_graph: bool) -> tuple[SampleRun, OwnLoop]:
    run = SampleRun(build_spec(name))
    loop = OwnLoop(run, build_spec(name))
    for epoch in range(3):
        for active in ACTIVE_TASKS:
            run.run_step(active)
            loop.run_step(active, None if use_graph else loop.network.trunk)
        run.end_epoch()
        means = loop.weighting.on_epoch_end()
        assert epoch or all(mean is not None for mean in means.values())
    return run, loop


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weights_are_equal_bit_for_bit(name: str) -> None:
    run, loop = train_both(name, use_graph=False)
    for key, value in run.network.state_dict().items():
        assert torch.equal(loop.network.state_dict()[key], value), key
    expected = run.objective.weighting.state_dict()
    assert all(torch.equal(loop.weighting.weighting.state_dict()[key], value) for key, value in expected.items())


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weights_are_equal_with_shared_parameters_from_the_graph(name: str) -> None:
    if name == "graddrop":
        pytest.skip("its random draws depend on the order of the parameters")
    run, loop = train_both(name, use_graph=True)
    for key, value in run.network.state_dict().items():
        # Adam's first steps amplify the rounding of other orders of sums.
        assert torch.allclose(loop.network.state_dict()[key], value, atol=2e-4), key


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weighting_without_state_needs_only_its_name(name: str) -> None:
    loop = OwnLoop(SampleRun(build_spec(name)), "sum")
    losses = loop.compute_losses((0, 1, 2))
    if name in STATEFUL:
        with pytest.raises(MtlError, match=f"'{name}' keeps state between steps, so build it once before the loop"):
            backward(losses, build_spec(name))
        return
    torch.manual_seed(3)
    backward(losses, build_spec(name), shared=loop.network.trunk)
    by_name = [parameter.grad for parameter in loop.network.parameters()]
    torch.manual_seed(3)
    weighting = TaskWeighting(build_spec(name), TASKS, seed=int(torch.randint(2**31, ())))
    loop.network.zero_grad()
    backward(loop.compute_losses((0, 1, 2)), weighting, shared=loop.network.trunk)
    assert_equal_gradients(by_name, [parameter.grad for parameter in loop.network.parameters()])


def assert_equal_gradients(first: list[torch.Tensor | None], second: list[torch.Tensor | None]) -> None:
    for one, other in zip(first, second, strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert torch.equal(one, other)


def test_sum_leaves_the_global_generator_as_it_is_and_random_draws_do_not() -> None:
    loop = OwnLoop(SampleRun(build_spec("sum")), "sum")
    state = torch.get_rng_state()
    backward(loop.compute_losses((0, 1)), "sum")
    assert torch.equal(torch.get_rng_state(), state)
    backward(loop.compute_losses((0, 1)), "pcgrad")
    assert not torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", sorted(STATEFUL))
def test_weighting_resumes_from_its_state_dict(name: str) -> None:
    loop = OwnLoop(SampleRun(build_spec(name)), build_spec(name))
    for _ in range(2):
        loop.run_step((0, 1, 2, 3))
        loop.run_step((1, 2))
        loop.weighting.on_epoch_end()
    loop.run_step((0, 1))  # the state within an epoch is saved, too
    resumed = OwnLoop(loop.run, build_spec(name))
    resumed.network.load_state_dict(loop.network.state_dict())
    resumed.optimizer.load_state_dict(deepcopy(loop.optimizer.state_dict()))
    resumed.weighting.load_state_dict({key: value.clone() for key, value in loop.weighting.state_dict().items()})
    for continued in (loop, resumed):
        continued.weighting.on_epoch_end()
        continued.run_step((0, 1, 2, 3))
    assert resumed.weighting.step == loop.weighting.step == 6
    for key, value in loop.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[key], value), key


def test_loss_for_other_trainers_gives_the_same_gradients() -> None:
    loop = OwnLoop(SampleRun(build_spec("uncertainty")), "uncertainty")
    backward(loop.compute_losses((0, 2)), loop.weighting)
    expected = [parameter.grad for parameter in [*loop.network.parameters(), *loop.weighting.parameters()]]
    loop.optimizer.zero_grad()
    loop.weighting(loop.compute_losses((0, 2))).backward()
    assert_equal_gradients(expected, [p.grad for p in [*loop.network.parameters(), *loop.weighting.parameters()]])
    assert loop.weighting.step == 2
    with torch.no_grad():
        loop.weighting(loop.compute_losses((0, 2)))
    assert loop.weighting.step == 2, "validation is no step"


def test_batch_without_labels_changes_nothing() -> None:
    loop = OwnLoop(SampleRun(build_spec("sum")), "sum", weight_decay=0.1)
    loop.run_step((0, 1, 2, 3))
    before = {key: value.clone() for key, value in loop.network.state_dict().items()}
    loop.run_step(())
    loop.optimizer.zero_grad()
    losses = loop.compute_losses(())
    loop.weighting(losses).backward()
    loop.optimizer.step()
    assert not losses
    assert losses.unlabelled == list(TASKS)
    assert all(torch.equal(before[key], value) for key, value in loop.network.state_dict().items())


def test_labels_are_those_of_the_sample_run() -> None:
    assert len(LABELS) == 3
    losses = OwnLoop(SampleRun(build_spec("sum")), "sum").compute_losses((0, 3))
    assert losses.counts == {"first": 12, "second": 0, "third": 0, "fourth": 12}
