"""A training step with 100 tasks against one with 5: grouped attention heads, batch 32 x 20 tokens x 256 features."""

from time import perf_counter

import torch
from accelerate import Accelerator

from absa_plugin.attention import Attention
from mtl_core.builtins.backbones import Identity
from mtl_core.builtins.classification import Classification
from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.optimizers import Adam
from mtl_core.builtins.weightings import Static
from mtl_core.config.experiment import NamedTask
from mtl_core.model.features import Features, FeatureShape
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch
from mtl_core.training.groups import group_tasks, learn_task
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

BATCH, LENGTH, WIDTH, CLASSES = 32, 20, 256, 4
STEPS = 30


def main() -> None:
    """Time steps of 5, 20 and 100 tasks in turn, with the LSTM that stands before the heads in `absa-restaurants`."""
    times = {tasks: _step_time(tasks) for tasks in (5, 20, 100)}
    for tasks, seconds in times.items():
        print(f"{tasks} tasks: {seconds * 1000:.1f} ms a step, {seconds / times[5]:.2f}x")


class _FixedFeatures(torch.nn.Module):
    """Stands for a backbone's output: features that need gradients."""

    output = FeatureShape(WIDTH, sequence=True)

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(WIDTH))

    def forward(self, values: torch.Tensor) -> Features:
        return Features(values * self.scale, torch.ones(values.shape[:2], dtype=torch.bool))


def _step_time(tasks: int) -> float:
    """Median seconds of a whole training step: forward, masked losses, backward, optimizer."""
    torch.manual_seed(0)
    names = [str(label) for label in range(CLASSES)]
    kind = Classification(classes=names)
    learned = [
        learn_task(NamedTask(name=f"task {i}", kind=kind, head=Attention(), mask=Observed()), names, names)
        for i in range(tasks)
    ]
    groups = group_tasks(learned)
    inputs = _FixedFeatures()
    backbone = Identity().build(inputs.output)
    network = MultiTaskNetwork(inputs, backbone, [group.build_heads(inputs.output) for group in groups])
    objective = Objective(groups, Static())
    accelerator = Accelerator()
    optimizer = accelerator.prepare(Adam().build(network.parameters()))
    targets = torch.randint(0, CLASSES, (BATCH, tasks))
    targets[torch.rand(targets.shape) < 0.5] = -1
    batch = Batch(torch.randn(BATCH, LENGTH, WIDTH), [targets])
    times = []
    for _ in range(STEPS):
        start = perf_counter()
        training_step(accelerator, network, objective, optimizer, batch, None)
        times.append(perf_counter() - start)
    return sorted(times)[STEPS // 2]
