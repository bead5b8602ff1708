"""A small training for the checks of weightings: four tasks, a shared layer, and the steps of a run."""

from collections.abc import Collection
from pathlib import Path

import torch
from accelerate import Accelerator

from mtl_core.builtins.architectures.modules.hard_sharing import SharedTrunk
from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.optimizers import Adam
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import fit_task
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import group_tasks
from mtl_core.nn.architecture import NetworkParts
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.sample_modules import SampleBackbone, SampleHead, SampleInputLayer
from mtl_core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from mtl_core.training.gradients import StepGradients
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective
from mtl_core.training.step import compute_losses, training_step

TASKS = ("first", "second", "third", "fourth")
LABELS = ("a", "b", "c")
EXAMPLES, WIDTH, STEPS = 12, 6, 40


class SampleRun:
    """A training of four tasks on twelve examples, with deterministic weights and batches.

    Args:
        spec: The weighting.
    """

    def __init__(self, spec: WeightingSpec) -> None:
        torch.manual_seed(0)
        tasks = [
            fit_task(
                NamedTask(name=name, kind=Classification(classes=list(LABELS)), head=SampleHead(), mask=Observed()),
                LabelStatistics(LABELS, LABELS),
            )
            for name in TASKS
        ]
        groups = group_tasks(tasks)
        shape = FeatureShape(WIDTH, sequence=False)
        trunk = SharedTrunk(NetworkParts(lambda: SampleInputLayer(shape), SampleBackbone))
        self.network = MultiTaskNetwork(
            trunk, [group.build_heads(trunk.output) for group in groups], [len(group.tasks) for group in groups]
        ).train()
        self.objective = Objective(groups, spec, seed=1).train()
        self.optimizer = Adam(lr=0.02).build([*self.network.parameters(), *self.objective.parameters()])
        self.gradients = StepGradients(Accelerator(cpu=True), self.network, self.objective.group_sizes)
        self.meter = LossMeter(TASKS)
        self.training_state = TrainingState()

    def create_batch(self, active: Collection[int]) -> Batch:
        """Return a batch with labels for the active tasks only."""
        generator = torch.Generator().manual_seed(2)
        inputs = torch.randn(EXAMPLES, WIDTH, generator=generator)
        teacher_weights = torch.randn(WIDTH, len(TASKS) * len(LABELS), generator=generator)
        targets = (inputs @ teacher_weights).view(EXAMPLES, len(TASKS), len(LABELS)).argmax(dim=2)
        for task in range(len(TASKS)):
            if task not in active:
                targets[:, task] = -1
        return Batch(Features(inputs), [targets], [None])

    def compute_losses(self, active: Collection[int] = range(4)) -> TaskLosses:
        """Return the losses of such a batch, for another backward pass."""
        return compute_losses(self.network, self.objective, self.create_batch(active))

    def run_step(self, active: Collection[int] = range(4)) -> TaskLosses:
        """Run one training step."""
        self.objective.on_step_start(self.training_state.step, STEPS)
        losses = training_step(
            self.gradients, self.network, self.objective, self.optimizer, self.create_batch(active), None
        )
        self.meter.add(losses)
        self.training_state.step += 1
        return losses

    def end_epoch(self) -> None:
        """Finish an epoch: pass the mean losses to the weighting."""
        self.objective.on_epoch_end(list(self.meter.compute_means().values()))
        self.meter = LossMeter(TASKS)

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        modules = {"network": self.network, "objective": self.objective}
        save_checkpoint(path, self.training_state, modules, self.optimizer, self.meter.get_tensors())

    def load(self, path: Path) -> None:
        """Resume from a checkpoint."""
        modules = {"network": self.network, "objective": self.objective}
        self.training_state, extra = load_checkpoint(path, modules, self.optimizer)
        self.meter.restore(extra)
