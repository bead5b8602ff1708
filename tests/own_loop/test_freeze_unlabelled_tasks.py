"""An optimizer step in a custom training loop does not move tasks without labels."""

from collections.abc import Callable, Iterable, Iterator

import pytest
import torch
from torch import nn

import mtl_core as mtl
from mtl_core.nn.features import Features
from mtl_core.nn.heads import HeadGroup, HeadOutput

OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1, weight_decay=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.1),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1),
}
TASKS = ("first", "second", "third")
Targets = dict[str, torch.Tensor | None]


class SeparateNet(nn.Module):
    """A trunk and one head per task."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in TASKS})

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        features = torch.tanh(self.trunk(inputs))
        return {name: head(features) for name, head in self.heads.items()}

    def get_row(self, task: int) -> list[torch.Tensor]:
        return list(self.heads[TASKS[task]].parameters())

    stacked: tuple[nn.Parameter, ...] = ()


class StackedNet(nn.Module):
    """A trunk and one layer with one output per task."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.head = nn.Linear(4, len(TASKS))

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(zip(TASKS, self.head(torch.tanh(self.trunk(inputs))).unbind(dim=1), strict=True))

    def get_row(self, task: int) -> list[torch.Tensor]:
        return [self.head.weight[task], self.head.bias[task]]

    @property
    def stacked(self) -> Iterator[nn.Parameter]:
        return self.head.parameters()


def build_targets(*unlabelled: str) -> Targets:
    values = torch.randn(6, generator=torch.Generator().manual_seed(1))
    return {name: torch.full_like(values, torch.nan) if name in unlabelled else values for name in TASKS}


def copy_rows(net: SeparateNet | StackedNet) -> dict[str, list[torch.Tensor]]:
    return {name: [value.detach().clone() for value in net.get_row(task)] for task, name in enumerate(TASKS)}


def list_changed(before: dict[str, list[torch.Tensor]], after: dict[str, list[torch.Tensor]]) -> list[str]:
    return [
        name for name in TASKS if not all(torch.equal(*pair) for pair in zip(before[name], after[name], strict=True))
    ]


@pytest.mark.parametrize("zero_to_none", [True, False], ids=["none", "zeros"])
@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
@pytest.mark.parametrize("network", [SeparateNet, StackedNet])
def test_only_labelled_tasks_move(
    network: type[SeparateNet | StackedNet], optimizer_name: str, zero_to_none: bool
) -> None:
    torch.manual_seed(0)
    net = network()
    criterion = mtl.MaskedLosses(dict.fromkeys(TASKS, "regression"))
    optimizer = OPTIMIZERS[optimizer_name](net.parameters())
    inputs = torch.randn(6, 3)

    def run_step(*unlabelled: str) -> list[str]:
        before = copy_rows(net)
        optimizer.zero_grad(set_to_none=zero_to_none)
        losses = criterion(net(inputs), build_targets(*unlabelled))
        mtl.backward(losses, "sum")
        with mtl.freeze_unlabelled(losses, optimizer, stacked=net.stacked):
            optimizer.step()
        return list_changed(before, copy_rows(net))

    assert run_step("second") == ["first", "third"], "before the optimizer has a state"
    assert run_step() == list(TASKS)
    trunk = net.trunk.weight.detach().clone()
    assert run_step("second") == ["first", "third"]
    assert run_step("first", "third") == ["second"]
    assert not torch.equal(trunk, net.trunk.weight)
    trunk = net.trunk.weight.detach().clone()
    assert run_step(*TASKS) == []
    assert torch.equal(trunk, net.trunk.weight)


def test_without_the_guard_they_move() -> None:
    torch.manual_seed(0)
    net = StackedNet()
    optimizer = OPTIMIZERS["adamw"](net.parameters())
    before = copy_rows(net)
    losses = mtl.MaskedLosses(dict.fromkeys(TASKS, "regression"))(net(torch.randn(6, 3)), build_targets("second"))
    mtl.backward(losses, "sum")
    optimizer.step()
    assert "second" in list_changed(before, copy_rows(net))


@pytest.mark.parametrize("network", [SeparateNet, StackedNet])
def test_accumulated_gradients_of_earlier_batches_are_used(network: type[SeparateNet | StackedNet]) -> None:
    net = network()
    criterion = mtl.MaskedLosses(dict.fromkeys(TASKS, "regression"))
    optimizer = OPTIMIZERS["adamw"](net.parameters())
    before = copy_rows(net)
    batches = [criterion(net(torch.randn(6, 3)), build_targets(*names)) for names in (("second", "third"), ("third",))]
    for losses in batches:
        mtl.backward(losses, "sum")
    with mtl.freeze_unlabelled(batches, optimizer, stacked=net.stacked):
        optimizer.step()
    assert list_changed(before, copy_rows(net)) == ["first", "second"]


class StackedHeads(HeadGroup):
    """One matrix per task."""

    def __init__(self, width: int, outputs: int, tasks: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tasks, width, outputs))

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        return HeadOutput(torch.einsum("bw,two->bto", features.values, self.weight))

    def stacked_parameters(self) -> list[nn.Parameter]:
        return [self.weight]


class StackedHead(mtl.HeadSpec):
    type: str = "stacked"

    def build(self, inputs: mtl.FeatureShape, outputs: int) -> nn.Module:
        raise NotImplementedError

    def build_group(self, inputs: mtl.FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        return StackedHeads(inputs.width, outputs, tasks)


def test_rows_of_head_groups_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(mtl.TaskHeads(4, {"a": 2, "b": 2}, StackedHead()).groups) == 2  # few tasks
    monkeypatch.setattr("mtl_core.nn.task_heads.MAX_SEPARATE_HEADS", 2)
    net = nn.ModuleDict({"trunk": nn.Linear(3, 4), "heads": mtl.TaskHeads(4, {"a": 2, "b": 3, "c": 2}, StackedHead())})
    heads = net["heads"]
    assert isinstance(heads, mtl.TaskHeads)
    assert [names for _, names in heads.list_stacked_parameters()] == [["a", "c"], ["b"]]
    optimizer = OPTIMIZERS["adamw"](net.parameters())
    outputs = heads(net["trunk"](torch.randn(6, 3)))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"a": (6, 2), "b": (6, 3), "c": (6, 2)}
    criterion = mtl.MaskedLosses(dict.fromkeys("abc", "classification"))
    losses = criterion(outputs, {"a": torch.tensor([0, 1] * 3), "b": None, "c": torch.full((6,), -100)})
    before = {id(parameter): parameter.detach().clone() for parameter in net.parameters()}
    mtl.backward(losses, "pcgrad", shared=net["trunk"])
    with mtl.freeze_unlabelled(losses, optimizer, stacked=heads):
        optimizer.step()
    [(both, _), (single, _)] = heads.list_stacked_parameters()
    assert (both != before[id(both)]).flatten(1).any(dim=1).tolist() == [True, False]
    assert torch.equal(single, before[id(single)])


def test_heads_without_a_group_depend_on_their_own_parameters_only() -> None:
    trunk, heads = (
        nn.Linear(3, 4),
        mtl.TaskHeads(4, {"a": 2, "b": 2}, "linear", {"b": {"type": "linear", "dropout": 0.5}}),
    )
    outputs = heads(trunk(torch.randn(6, 3)))
    gradients = mtl.compute_task_gradients({name: value.mean() for name, value in outputs.items()})
    assert gradients["a"].shape == (sum(parameter.numel() for parameter in trunk.parameters()),)


WRONG_HEADS = [
    ((4, {"a": 2}, "liner"), "head: unknown head 'liner'; did you mean 'linear'"),
    ((4, {"a": 2}, "linear", {"b": "linear"}), "heads: there is no task 'b'"),
    ((4, {"a": 0}), "outputs: expected a positive number of outputs of task 'a', found 0"),
    ((4, {"a": 2}, "token-linear"), "one output per token"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_HEADS)
def test_wrong_heads_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(mtl.MtlError, match=message):
        mtl.TaskHeads(*arguments)  # type: ignore[arg-type]


def test_heads_read_sequences_with_a_mask_and_refuse_other_features() -> None:
    heads = mtl.TaskHeads(mtl.FeatureShape(4, sequence=True), {"a": 2}, "token-linear")
    features, mask = torch.randn(3, 5, 4), torch.ones(3, 5, dtype=torch.bool)
    assert torch.equal(heads(features)["a"], heads(features, mask)["a"])
    assert heads(features)["a"].shape == (3, 5, 2)
    for wrong in (torch.randn(3, 4), torch.randn(3, 5, 6)):
        with pytest.raises(mtl.MtlError, match="features: expected 3 dimensions and 4 features, found"):
            heads(wrong)


def test_wrong_arguments_of_the_guard_are_refused() -> None:
    net = StackedNet()
    optimizer = OPTIMIZERS["sgd"](net.parameters())
    losses = mtl.MaskedLosses(dict.fromkeys(TASKS, "regression"))(net(torch.randn(6, 3)), build_targets())
    wrong_losses = mtl.freeze_unlabelled(dict(losses), optimizer)  # a dictionary is an iterable of names
    with pytest.raises(mtl.MtlError, match="expected the losses that MaskedLosses returns"), wrong_losses:
        pass
    wrong_rows = mtl.freeze_unlabelled(losses, optimizer, stacked=[net.trunk.weight])
    message = r"expected one row per task, 3; found a parameter of shape \(4, 3\)"
    with pytest.raises(mtl.MtlError, match=message), wrong_rows:
        pass
