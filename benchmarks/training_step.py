"""Training steps of networks with equal tasks, on random data: 32 x 20 tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from absa_plugin.attention_pooling import Attention
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.optimizers import Adam
from mtl_core.builtins.task_kinds.binary import Binary
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import fit_task
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.nn.architecture import NetworkParts, build_backbone
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import ArchitectureSpec, BackboneSpec, HeadSpec, TaskKindSpec, WeightingSpec
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

BATCH, LENGTH, CLASSES = 32, 20, 4
Step = Callable[[], object]


class FixedFeatures(torch.nn.Module):
    """Replaces an input layer: features that require gradients."""

    def __init__(self, width: int, sequence: bool = True) -> None:
        super().__init__()
        self.output = FeatureShape(width, sequence)
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, values: torch.Tensor) -> Features:
        """Scale the values; there is no padding."""
        mask = torch.ones(values.shape[:2], dtype=torch.bool) if self.output.sequence else None
        return Features(values * self.scale, mask)


@dataclass(frozen=True)
class StepSetup:
    """A network, the groups of its tasks, and a batch."""

    network: MultiTaskNetwork
    groups: Sequence[TaskGroup]
    batch: Batch


def build_setup(
    tasks: int,
    backbone: BackboneSpec,
    width: int,
    head: HeadSpec | None = None,
    architecture: ArchitectureSpec | None = None,
    missing_share: float = 0.5,
    sequence: bool = True,
    batch: int = BATCH,
    classes: int = CLASSES,
) -> StepSetup:
    """Build a network and a batch.

    Args:
        tasks: Number of tasks.
        backbone: The backbone.
        width: Width of the features before the backbone.
        head: The head of each task; default: grouped attention pooling.
        architecture: The architecture; default: hard sharing.
        missing_share: Share of missing labels.
        sequence: Whether an example is a sequence of vectors, not a single vector.
        batch: Number of examples.
        classes: Number of classes of each task; tasks with two classes have one output.
    """
    architecture = architecture or HardSharing()
    torch.manual_seed(0)
    labels = [str(label) for label in range(classes)]
    kind: TaskKindSpec = Binary(classes=labels) if classes == 2 else Classification(classes=labels)
    entries = [
        NamedTask(name=f"task {task}", kind=kind, head=head or Attention(), mask=Observed()) for task in range(tasks)
    ]
    fitted_tasks = [fit_task(entry, LabelStatistics(labels, labels)) for entry in entries]
    groups = group_tasks(fitted_tasks, architecture.task_specific_features)
    parts = NetworkParts(lambda: FixedFeatures(width, sequence), lambda shape: build_backbone(backbone, shape))
    trunk = architecture.build(parts, [entry.name for entry in entries])
    heads = [group.build_heads(trunk.output) for group in groups]
    network = MultiTaskNetwork(trunk, heads, [len(group.tasks) for group in groups])
    targets = torch.randint(0, classes, (batch, tasks))
    targets[torch.rand(targets.shape) < missing_share] = -1
    tables = torch.split(targets, [len(group.tasks) for group in groups], dim=1)
    inputs = torch.randn(batch, LENGTH, width) if sequence else torch.randn(batch, width)
    return StepSetup(network, groups, Batch(inputs, tables, [None] * len(groups)))


def build_step(setup: StepSetup, weighting: WeightingSpec | None = None) -> Step:
    """Build a complete training step: forward, masked losses, backward, optimizer.

    The default weighting is a sum with static weights.
    """
    objective, accelerator = Objective(setup.groups, weighting or WeightedSum()), Accelerator()
    optimizer = Adam().build([*setup.network.parameters(), *objective.parameters()])
    gradients = StepGradients(accelerator, setup.network, objective.group_sizes)

    def step() -> None:
        objective.on_step_start(0, 1)
        training_step(gradients, setup.network, objective, optimizer, setup.batch, None)

    return step
