"""Training step with 100 tasks compared with 5: grouped attention heads, 32 x 20 tokens x 256 features."""

from collections.abc import Callable
from time import perf_counter

import torch
from accelerate import Accelerator

from absa_plugin.attention import Attention
from absa_plugin.recurrent import BiLSTM
from mtl_core.builtins.architectures import HardSharing
from mtl_core.builtins.backbones import Identity
from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.optimizers import Adam
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.weightings import WeightedSum
from mtl_core.config.experiment import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.label_space import LabelStatistics
from mtl_core.data.task_groups import fit_task, group_tasks
from mtl_core.nn.architecture import NetworkParts, build_backbone
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import ArchitectureSpec, BackboneSpec, WeightingSpec
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

BATCH, LENGTH, WIDTH, CLASSES = 32, 20, 256, 4
STEPS = 60


def main() -> None:
    """Time alternating steps with 5, 20 and 100 tasks, and compare the medians."""
    _compare("whole step, BiLSTM of 128 before the heads", BiLSTM(), 300)
    _compare("heads only", Identity(), WIDTH)


def _compare(title: str, backbone: BackboneSpec, width: int) -> None:
    steps = {tasks: build_step(tasks, backbone, width) for tasks in (5, 20, 100)}
    times: dict[int, list[float]] = {tasks: [] for tasks in steps}
    for _ in range(STEPS):
        for tasks, step in steps.items():
            start = perf_counter()
            step()
            times[tasks].append(perf_counter() - start)
    medians = {tasks: sorted(durations)[STEPS // 2] for tasks, durations in times.items()}
    for tasks, seconds in medians.items():
        print(f"{title}, {tasks} tasks: {seconds * 1000:.1f} ms, {seconds / medians[5]:.2f}x")


class FixedFeatures(torch.nn.Module):
    """Replaces an input layer: features that require gradients."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = FeatureShape(width, sequence=True)
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, values: torch.Tensor) -> Features:
        """Scale the values; there is no padding."""
        return Features(values * self.scale, torch.ones(values.shape[:2], dtype=torch.bool))


def build_step(
    tasks: int,
    spec: BackboneSpec,
    width: int,
    architecture: ArchitectureSpec | None = None,
    weighting: WeightingSpec | None = None,
) -> Callable[[], object]:
    """Build a complete training step: forward, masked losses, backward, optimizer.

    The default is hard sharing with static weights.
    """
    architecture = architecture or HardSharing()
    torch.manual_seed(0)
    labels = [str(label) for label in range(CLASSES)]
    kind = Classification(classes=labels)
    fitted_tasks = [
        fit_task(
            NamedTask(name=f"task {i}", kind=kind, head=Attention(), mask=Observed()),
            LabelStatistics(labels, labels),
        )
        for i in range(tasks)
    ]
    groups = group_tasks(fitted_tasks, one_per_group=architecture.task_specific_features)
    parts = NetworkParts(lambda: FixedFeatures(width), lambda shape: build_backbone(spec, shape))
    trunk = architecture.build(parts, [task.name for task in fitted_tasks])
    network = MultiTaskNetwork(trunk, [group.build_heads(trunk.output) for group in groups])
    objective = Objective(groups, weighting or WeightedSum())
    accelerator = Accelerator()
    optimizer = accelerator.prepare(Adam().build([*network.parameters(), *objective.parameters()]))
    gradients = StepGradients(accelerator, network, objective.group_sizes)
    targets = torch.randint(0, CLASSES, (BATCH, tasks))
    targets[torch.rand(targets.shape) < 0.5] = -1
    tables = torch.split(targets, [len(group.tasks) for group in groups], dim=1)
    batch = Batch(torch.randn(BATCH, LENGTH, width), tables, [None] * len(groups))

    def step() -> None:
        objective.on_step_start(0, 1)
        training_step(gradients, network, objective, optimizer, batch, None)

    return step
