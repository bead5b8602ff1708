"""Task interactions: comparisons of task gradients during training."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import nn

from mtl_core.config.training import InteractionConfig
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.feature_comparison import FeatureComparison
from mtl_core.training.gradient_comparison import GradientComparison, ParameterComparison
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.running_means import RunningMeans, SplitHalfMeans


class InteractionObserver(nn.Module):
    """Compares, every n steps, the gradients of the tasks with labels in the batch without changing training.

    Gradients are those of the unweighted task losses, with respect to the shared parameters or to the shared features
    (`InteractionConfig.gradients`). Affinity follows Fifty et al. (2021, "Efficiently Identifying Task Groupings for
    Multi-Task Learning"): the share by which a step along the gradient of task i lowers the loss of task j, with the
    current learning rate, on the same batch with the same dropout masks.

    All results are stored in buffers on the CPU.

    Args:
        names: The task names in the order of the losses: main tasks, followed by auxiliary tasks.
        n_main: The number of main tasks.
        settings: The interval between steps, and what to compute.
        epochs: Maximum number of epochs.
        seed: The seed of random projections.

    Attributes:
        seconds: Time that the comparisons took in this process, in seconds.
    """

    cosine_history: torch.Tensor
    n_observed_steps: torch.Tensor

    def __init__(
        self, names: Sequence[str], n_main: int, settings: InteractionConfig, epochs: int, seed: int = 0
    ) -> None:
        super().__init__()
        self.names = list(names)
        self.n_main = n_main
        self.settings = settings
        self._comparison: GradientComparison = (
            FeatureComparison(settings.affinity, seed)
            if settings.gradients == "features"
            else ParameterComparison(settings.affinity)
        )
        self.seconds = 0.0
        self._lr = 0.0
        n_tasks, n_auxiliary = len(names), len(names) - n_main
        self.cosine = SplitHalfMeans(n_tasks, n_tasks)
        self.affinity = SplitHalfMeans(n_tasks, n_tasks)
        self.conflicts = RunningMeans(n_tasks, n_tasks)
        self.norms = RunningMeans(n_tasks)
        self.auxiliary_cosine = RunningMeans(n_auxiliary)
        self.auxiliary_conflicts = RunningMeans(n_auxiliary)
        self.auxiliary_affinity = RunningMeans(n_auxiliary)
        self.epoch_cosine = RunningMeans(n_tasks, n_tasks)
        self.register_buffer("cosine_history", torch.full((epochs, n_tasks, n_tasks), torch.nan))
        self.register_buffer("n_observed_steps", torch.zeros((), dtype=torch.int64))

    def attach(self, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
        """Prepare for the training of a network.

        Args:
            network: The network.
            group_sizes: The number of tasks per head group.
        """
        self._comparison.attach(network, group_sizes)

    def should_observe(self, step: int, lr: float) -> bool:
        """Return whether to compare gradients in a step, and store its learning rate.

        Args:
            step: The step, counted from 0.
            lr: The learning rate of the step.
        """
        self._lr = lr
        return step % self.settings.every_n_steps == 0

    def before_step(
        self, losses: TaskLosses, gradients: StepGradients, recompute_losses: Callable[[], TaskLosses]
    ) -> None:
        """Compute and store the comparisons of the task gradients of a batch."""
        start = perf_counter()
        tasks = losses.tasks.cpu()
        step = int(self.n_observed_steps)
        compared = self._comparison.compare(losses, gradients, recompute_losses, self._lr, step)
        gram = compared.gram
        norms = gram.diagonal().sqrt()
        is_usable = (norms > 0) & norms.isfinite()
        pairs = is_usable.unsqueeze(1) & is_usable
        cosine = (gram / torch.outer(norms, norms)).clamp(-1, 1).masked_fill(~pairs, torch.nan)
        # The relative change is undefined for a loss <= 0.
        is_positive = losses.values.detach().cpu() > 0
        affinity = compared.affinity.masked_fill(~pairs | ~is_positive, torch.nan)

        self.n_observed_steps += 1
        cosine_matrix = self._expand_to_all_tasks(cosine, tasks)
        self.cosine.add(cosine_matrix, step)
        self.epoch_cosine.add(cosine_matrix)
        self.conflicts.add(_indicate_negative(cosine_matrix))
        self.affinity.add(self._expand_to_all_tasks(affinity, tasks), step)
        self.norms.add(_scatter(norms, tasks, len(self.names)))
        self._add_auxiliary(gram, norms, affinity, tasks)
        self.seconds += perf_counter() - start

    def on_epoch_end(self, epoch: int) -> None:
        """Store the mean cosine similarities of an epoch.

        Args:
            epoch: The epoch, counted from 1.
        """
        self.cosine_history[epoch - 1] = self.epoch_cosine.mean()
        self.epoch_cosine.reset()

    def _add_auxiliary(
        self, gram: torch.Tensor, norms: torch.Tensor, affinity: torch.Tensor, tasks: torch.Tensor
    ) -> None:
        """Compare each auxiliary gradient with the sum of main gradients; Du et al. (2018) use one main task."""
        if self.n_main == len(self.names):
            return
        gram = gram.nan_to_num(nan=0.0)  # without a common example, the dot product of features is 0
        is_main = tasks < self.n_main
        is_auxiliary, indices = ~is_main, tasks[tasks >= self.n_main] - self.n_main
        norm_products = norms[is_auxiliary] * gram[is_main][:, is_main].sum().sqrt()
        cosine = (gram[is_auxiliary][:, is_main].sum(dim=1) / norm_products).masked_fill(
            ~(norm_products > 0), torch.nan
        )
        affinity_to_main = affinity[is_auxiliary][:, is_main].nanmean(dim=1)
        for means, values in (
            (self.auxiliary_cosine, cosine),
            (self.auxiliary_conflicts, _indicate_negative(cosine)),
            (self.auxiliary_affinity, affinity_to_main),
        ):
            means.add(_scatter(values, indices, len(self.names) - self.n_main))

    def _expand_to_all_tasks(self, matrix: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Expand a matrix of the tasks in the batch to all tasks; NaN for other tasks."""
        expanded = torch.full((len(self.names),) * 2, torch.nan, dtype=matrix.dtype)
        expanded[tasks.unsqueeze(1), tasks] = matrix
        return expanded


def _scatter(values: torch.Tensor, indices: torch.Tensor, size: int) -> torch.Tensor:
    expanded = torch.full((size,), torch.nan, dtype=values.dtype)
    expanded[indices] = values
    return expanded


def _indicate_negative(values: torch.Tensor) -> torch.Tensor:
    """Return 1 for negative values, 0 for other values and NaN for NaN, float64."""
    return (values < 0).double().masked_fill(values.isnan(), torch.nan)
