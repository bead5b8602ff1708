"""The backward pass of several losses: shared parameters from the graph, and messages for wrong inputs."""

import doctest
import importlib
import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.testing._internal.distributed.fake_pg import FakeStore

import mtl_core as mtl
from mtl_core.training.graph_gradients import GraphGradients
from mtl_core.training.graph_parameters import find_leaves
from mtl_core.training.named_losses import as_named_losses


class Net(nn.Module):
    """A trunk of two layers, one head per task, and a layer that only two of three tasks read."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 4), nn.Tanh())
        self.pair = nn.Linear(4, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in "abc"})

    def compute_penalty(self) -> torch.Tensor:
        return next(self.trunk.parameters()).square().sum()

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.trunk(inputs)
        pair = self.pair(features)
        return {
            name: head(features if name == "a" else pair).square().mean().reshape(())
            for name, head in self.heads.items()
        }


def get_ids(parameters: object) -> set[int]:
    assert isinstance(parameters, list)
    return set(map(id, parameters))


def test_shared_parameters_are_those_of_several_tasks() -> None:
    net = Net()
    inputs = torch.randn(6, 3, requires_grad=True)
    gradients = GraphGradients(as_named_losses(net(inputs)), list("abc"))
    assert get_ids(gradients.shared) == get_ids([*net.trunk.parameters(), *net.pair.parameters()])
    assert get_ids(gradients.task_specific) == get_ids([*net.heads.parameters(), inputs])
    assert get_ids(gradients.last_shared_layer) == get_ids(list(net.pair.parameters()))
    explicit = GraphGradients(as_named_losses(net(inputs)), list("abc"), net.trunk)
    assert list(map(id, explicit.shared)) == list(map(id, net.trunk.parameters()))
    assert get_ids(explicit.last_shared_layer) == get_ids(list(net.trunk[3].parameters()))
    assert get_ids(GraphGradients(as_named_losses(net(inputs)), list("abc"), net.trunk.parameters()).shared)


def test_parameters_are_found_after_the_backward_pass() -> None:
    net = Net()
    loss = net(torch.randn(6, 3))["a"]
    loss.backward()
    expected = [*net.trunk.parameters(), *net.heads["a"].parameters()]
    assert set(find_leaves(loss)) == get_ids(expected)


def test_a_task_without_labels_does_not_make_shared_parameters_task_specific() -> None:
    net = nn.ModuleDict({"trunk": nn.Linear(3, 4), "heads": mtl.TaskHeads(4, {"a": 1, "b": 1})})
    outputs = net["heads"](net["trunk"](torch.randn(6, 3)))
    losses = mtl.MaskedLosses(dict.fromkeys("ab", "regression"))(outputs, {"a": torch.zeros(6), "b": None})
    gradients = GraphGradients(losses, ["a", "b"])
    assert get_ids(gradients.shared) == get_ids(list(net["trunk"].parameters()))


def test_gradients_of_single_tasks_are_those_of_autograd() -> None:
    net = Net()
    losses = net(torch.randn(6, 3))
    gradients = mtl.compute_task_gradients(losses, shared=net.trunk)
    parameters = list(net.trunk.parameters())
    for name, loss in losses.items():
        expected = torch.autograd.grad(loss, parameters, retain_graph=True)
        torch.testing.assert_close(gradients[name], torch.cat([gradient.flatten() for gradient in expected]))
    assert all(parameter.grad is None for parameter in net.parameters())
    mtl.backward(losses, "pcgrad")  # the graph is still there


def test_weights_and_extra_loss_are_added() -> None:
    net = Net()
    inputs = torch.randn(6, 3)
    losses = net(inputs)
    total = 0.5 * losses["a"] + losses["b"] + losses["c"] + net.compute_penalty()
    expected = torch.autograd.grad(total, list(net.parameters()))
    for weighting in ("sum", "gradient-sum"):
        net.zero_grad()
        losses = net(inputs)
        mtl.backward(losses, weighting, weights={"a": 0.5}, extra_loss=net.compute_penalty())
        for gradient, parameter in zip(expected, net.parameters(), strict=True):
            torch.testing.assert_close(parameter.grad, gradient)


def test_extra_loss_counts_without_labels() -> None:
    net = Net()
    losses = mtl.MaskedLosses({"a": "regression"})({"a": net.heads["a"](torch.randn(2, 4))}, {"a": None})
    mtl.backward(losses, "sum", extra_loss=net.compute_penalty())
    assert next(net.trunk.parameters()).grad is not None


def make_losses(**changed: object) -> dict[str, object]:
    return {**Net()(torch.randn(6, 3)), **changed}


WRONG = [
    (lambda: sum(Net()(torch.ones(6, 3)).values()), {}, "expected a dictionary of one loss per task.*a sum of losses"),
    (lambda: [1.0], {}, "expected a dictionary of one loss per task, as MaskedLosses returns it; found a list"),
    (
        lambda: make_losses(a=torch.ones(6)),
        {},
        r"the loss of task 'a': expected a tensor with one number.*shape \(6,\)",
    ),
    (
        lambda: make_losses(a=1.5),
        {},
        "the loss of task 'a': expected a tensor with one number, its mean; found a float",
    ),
    (
        lambda: {name: loss.detach() for name, loss in Net()(torch.randn(6, 3)).items()},
        {},
        "the losses of a, b, c depend on no parameter that requires gradients; the outputs are detached",
    ),
    (lambda: make_losses(a=nn.Parameter(torch.tensor(math.inf))), {}, "the loss of task 'a' is not finite"),
    (make_losses, {"weighting": "pcgard"}, "weighting: unknown weighting 'pcgard'; did you mean 'pcgrad'"),
    (make_losses, {"weighting": {"type": "gradnorm", "alpah": 1}}, "unknown key 'alpah'; did you mean 'alpha'"),
    (make_losses, {"weighting": "uncertainty"}, "build it once before the loop: weighting = mtl_core.TaskWeighting"),
    (make_losses, {"weights": {"d": 2.0}}, r"weights: there is no task 'd' \(tasks: a, b, c\)"),
    (make_losses, {"weights": {"a": 0.0}}, "weights: expected a positive number for task 'a', found 0.0; a task that"),
    (
        make_losses,
        {"weighting": "pcgrad", "shared": []},
        "shared: expected the parameters that the tasks share, found n",
    ),
    (make_losses, {"weighting": "pcgrad", "shared": ["trunk"]}, "expected a module or its parameters, found a str"),
    (
        make_losses,
        {"weighting": mtl.TaskWeighting("sum", ["a", "b"])},
        r"a loss of task 'c', which the weighting does not know \(tasks: a, b\)",
    ),
    (
        make_losses,
        {"weighting": mtl.TaskWeighting("sum", ["a", "b", "c"]), "weights": {"a": 1.0}},
        "weights: a TaskWeighting has its own",
    ),
    (
        lambda: {"a": nn.Parameter(torch.ones(())).square(), "b": nn.Parameter(torch.ones(())).square()},
        {"weighting": "pcgrad"},
        "'pcgrad' balances gradients, but no parameter is shared by two tasks; name the shared module",
    ),
]


@pytest.mark.parametrize(("build", "arguments", "message"), WRONG)
def test_wrong_inputs_are_refused(build: object, arguments: dict[str, object], message: str) -> None:
    assert callable(build)
    with pytest.raises(mtl.MtlError, match=message):
        mtl.backward(build(), **arguments)  # type: ignore[arg-type]


def test_weighting_that_balances_gradients_gives_no_loss() -> None:
    weighting = mtl.TaskWeighting("pcgrad", ["a", "b", "c"])
    with pytest.raises(
        mtl.MtlError, match=r"call mtl_core.backward\(losses, weighting\) instead of weighting\(losses\)"
    ):
        weighting(Net()(torch.randn(6, 3)))


def test_forgotten_end_of_a_step_is_reported() -> None:
    net, weighting = Net(), mtl.TaskWeighting({"type": "famo", "same_batch": True}, ["a", "b", "c"])
    inputs = torch.randn(6, 3)
    mtl.backward(net(inputs), weighting)
    with pytest.raises(mtl.MtlError, match="measures each step on its own batch; after"):
        mtl.backward(net(inputs), weighting)
    weighting.on_step_end(lambda: net(inputs))
    mtl.backward(net(inputs), weighting)


def test_gradients_without_a_shared_parameter_are_refused() -> None:
    with pytest.raises(mtl.MtlError, match="no parameter is shared by two tasks; name the shared module"):
        mtl.compute_task_gradients({"a": nn.Parameter(torch.ones(())).square()})


@pytest.fixture
def two_processes() -> Iterator[None]:
    """A process group with a second process that does not exist."""
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("two_processes")
@pytest.mark.parametrize("weighting", ["pcgrad", "gradnorm", "dwa"])
def test_weighting_that_needs_all_processes_is_refused(weighting: str) -> None:
    with pytest.raises(mtl.MtlError, match=f"'{weighting}' sees the losses and gradients of one process only"):
        mtl.backward(Net()(torch.randn(6, 3)), mtl.TaskWeighting(weighting, ["a", "b", "c"]))
    mtl.backward(Net()(torch.randn(6, 3)), mtl.TaskWeighting("uncertainty", ["a", "b", "c"]))


@pytest.mark.parametrize("weighting", ["sum", "pcgrad"])
def test_a_constant_loss_leaves_the_others_as_they_are(weighting: str) -> None:
    net = Net()
    inputs = torch.randn(6, 3)
    losses = net(inputs)
    expected = torch.autograd.grad(losses["a"], list(net.trunk.parameters()))
    mtl.backward({"a": net(inputs)["a"], "b": torch.tensor(2.0)}, weighting, shared=net.trunk)
    for gradient, parameter in zip(expected, net.trunk.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


MODULES = [
    "mtl_core.nn.task_heads",
    "mtl_core.plugins.resolve_spec",
    "mtl_core.training.backward",
    "mtl_core.training.freeze_unlabelled",
    "mtl_core.training.masked_losses",
    "mtl_core.training.named_losses",
    "mtl_core.training.task_weighting",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_work(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed
