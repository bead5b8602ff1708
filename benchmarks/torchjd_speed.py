"""A step with gradient aggregation compared with a hand-written TorchJD loop: same network, batch and aggregator.

BiLSTM of 128 on 32 x 20 tokens x 300 features, one label per task and text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from accelerate import Accelerator
from torch.nn import functional as F  # noqa: N812
from torchjd import aggregation
from torchjd.autojac import jac_to_grad, mtl_backward

from absa_plugin.attention import Attention
from absa_plugin.recurrent import BiLSTM
from benchmarks.task_count import BATCH, CLASSES, LENGTH, FixedFeatures
from mtl_core.builtins.architectures import HardSharing
from mtl_core.builtins.heads import Linear
from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.optimizers import Adam
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.config.experiment import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.label_space import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, fit_task, group_tasks
from mtl_core.nn.architecture import NetworkParts, build_backbone
from mtl_core.nn.heads import HeadOutput, SeparateHeads
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import HeadSpec, WeightingSpec
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step
from mtl_torchjd.cones import UPGrad
from mtl_torchjd.conflicts import PCGrad

WIDTH, STEPS = 300, 25
HEADS: dict[str, HeadSpec] = {
    "linear heads": Linear(),
    "attention heads, separate": Attention(grouped=False),
    "attention heads, grouped": Attention(),
}
AGGREGATORS: dict[str, tuple[WeightingSpec, aggregation.Aggregator]] = {
    "pcgrad": (PCGrad(), aggregation.PCGrad()),
    "upgrad": (UPGrad(), aggregation.UPGrad()),
}
Step = Callable[[], object]


@dataclass(frozen=True)
class Setup:
    """The inputs of both implementations, built separately for each."""

    network: MultiTaskNetwork
    groups: Sequence[TaskGroup]
    optimizer: torch.optim.Optimizer
    inputs: torch.Tensor
    targets: torch.Tensor


def main() -> None:
    """Time alternating steps of both implementations, and compare the medians."""
    for tasks in (5, 20):
        for heads, head in HEADS.items():
            for name, (spec, aggregator) in AGGREGATORS.items():
                ratio, core_seconds = _compare(
                    _build_core_step(_build_setup(tasks, head), spec),
                    _build_manual_step(_build_setup(tasks, head), aggregator),
                )
                print(
                    f"{tasks} tasks, {heads}, {name}: {core_seconds * 1000:.0f} ms, {ratio:.3f}x of a manual loop"
                )


def _compare(core_step: Step, manual_step: Step) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(STEPS):
        for step, durations in zip((core_step, manual_step), times, strict=True):
            start = perf_counter()
            step()
            durations.append(perf_counter() - start)
    return median(times[0]) / median(times[1]), median(times[0])


def _build_setup(tasks: int, head: HeadSpec) -> Setup:
    torch.manual_seed(0)
    labels = [str(label) for label in range(CLASSES)]
    kind = Classification(classes=labels)
    entries = [NamedTask(name=f"task {task}", kind=kind, head=head, mask=Observed()) for task in range(tasks)]
    groups = group_tasks([fit_task(entry, LabelStatistics(labels, labels)) for entry in entries])
    parts = NetworkParts(lambda: FixedFeatures(WIDTH), lambda shape: build_backbone(BiLSTM(), shape))
    trunk = HardSharing().build(parts, [entry.name for entry in entries])
    network = MultiTaskNetwork(trunk, [group.build_heads(trunk.output) for group in groups])
    inputs, targets = torch.randn(BATCH, LENGTH, WIDTH), torch.randint(0, CLASSES, (BATCH, tasks))
    return Setup(network, groups, Adam().build(network.parameters()), inputs, targets)


def _build_core_step(setup: Setup, spec: WeightingSpec) -> Step:
    objective, accelerator = Objective(setup.groups, spec), Accelerator()
    gradients = StepGradients(accelerator, setup.network, objective.group_sizes)
    optimizer = accelerator.prepare(setup.optimizer)
    batch = Batch(setup.inputs, [setup.targets], [None])

    def step() -> None:
        objective.on_step_start(0, 1)
        training_step(gradients, setup.network, objective, optimizer, batch, None)

    return step


def _build_manual_step(setup: Setup, aggregator: aggregation.Aggregator) -> Step:
    trunk, [group] = setup.network.trunk, setup.network.head_groups()

    def step() -> None:
        setup.optimizer.zero_grad()
        [features] = trunk(setup.inputs, [True])
        assert features is not None
        if isinstance(group, SeparateHeads):
            head_outputs = [head(features) for head in group.heads.values()]
            outputs = [one.outputs if isinstance(one, HeadOutput) else one for one in head_outputs]
        else:
            outputs = list(group(features).outputs.unbind(dim=1))
        losses = [F.cross_entropy(one, setup.targets[:, task]) for task, one in enumerate(outputs)]
        retain_graph = not isinstance(group, SeparateHeads)  # all losses share one module
        mtl_backward(losses, features=features.values, retain_graph=retain_graph, parallel_chunk_size=1)
        jac_to_grad(trunk.parameters(), aggregator)
        setup.optimizer.step()

    return step
