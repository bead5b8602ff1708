"""Task interactions: comparisons of task gradients with respect to shared parameters during training."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import nn

from mtl_core.config.experiment import Interactions
from mtl_core.training.gradients import StepGradients
from mtl_core.training.lookahead import Lookahead
from mtl_core.training.losses import TaskLosses
from mtl_core.training.running_means import HalvedMeans, RunningMeans

HELD = 2**26
"""Maximum number of gradient elements in memory; beyond it, some gradients are computed several times."""


class InteractionObserver(nn.Module):
    """Compares, every n steps, the gradients of the tasks with labels in the batch without changing training.

    Gradients are those of the unweighted task losses. Affinity follows Fifty et al. (2021, "Efficiently Identifying
    Task Groupings for Multi-Task Learning"): `1 - loss of j after / loss of j before` an SGD step of the shared
    parameters along the gradient of task i, with the current learning rate, on the same batch with the same dropout
    masks.

    All results are stored in buffers on the CPU.

    Args:
        names: The task names in the order of the losses: main tasks, followed by auxiliary tasks.
        main: The number of main tasks.
        settings: The interval between steps, and what to compute.
        epochs: Maximum number of epochs.

    Attributes:
        seconds: Time that the comparisons took in this process, in seconds.
    """

    over_time: torch.Tensor
    observed: torch.Tensor

    def __init__(self, names: Sequence[str], main: int, settings: Interactions, epochs: int) -> None:
        super().__init__()
        self.names = list(names)
        self.main = main
        self.settings = settings
        self.seconds = 0.0
        self._rate = 0.0
        tasks, helpers = len(names), len(names) - main
        self.cosine = HalvedMeans(tasks, tasks)
        self.affinity = HalvedMeans(tasks, tasks)
        self.conflicts = RunningMeans(tasks, tasks)
        self.norms = RunningMeans(tasks)
        self.helper_cosine = RunningMeans(helpers)
        self.helper_conflicts = RunningMeans(helpers)
        self.helper_affinity = RunningMeans(helpers)
        self.epoch_cosine = RunningMeans(tasks, tasks)
        self.register_buffer("over_time", torch.full((epochs, tasks, tasks), torch.nan))
        self.register_buffer("observed", torch.zeros((), dtype=torch.int64))

    def at(self, step: int, rate: float) -> bool:
        """Return whether to compare gradients in a step, and store its learning rate.

        Args:
            step: The step, counted from 0.
            rate: The learning rate of the step.
        """
        self._rate = rate
        return step % self.settings.every == 0

    def before_step(self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]) -> None:
        """Compute and store the comparisons of the task gradients of a batch."""
        start = perf_counter()
        tasks = losses.tasks.cpu()
        gram, after = self._look(losses, gradients, again)
        norms = gram.diagonal().sqrt()
        usable = (norms > 0) & norms.isfinite()
        pairs = usable.unsqueeze(1) & usable
        cosine = (gram / torch.outer(norms, norms)).clamp(-1, 1).masked_fill(~pairs, torch.nan)
        before = losses.values.detach().cpu().double()
        # The relative change is undefined for a loss <= 0.
        affinity = (1 - after / before).masked_fill(~pairs | (before <= 0), torch.nan)

        step = int(self.observed)
        self.observed += 1
        whole = self._spread(cosine, tasks)
        self.cosine.add(whole, step)
        self.epoch_cosine.add(whole)
        self.conflicts.add(_negative(whole))
        self.affinity.add(self._spread(affinity, tasks), step)
        self.norms.add(_placed(norms, tasks, len(self.names)))
        self._add_helpers(gram, norms, affinity, tasks)
        self.seconds += perf_counter() - start

    def epoch_done(self, epoch: int) -> None:
        """Store the mean cosine similarities of an epoch.

        Args:
            epoch: The epoch, counted from 1.
        """
        self.over_time[epoch - 1] = self.epoch_cosine.mean()
        self.epoch_cosine.clear()

    def _look(
        self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the Gram matrix of gradients, and the loss of j after a step along i: both `(active, active)`."""
        count = len(losses.values)
        after = torch.full((count, count), torch.nan, dtype=torch.float64)
        measured = self.settings.affinity and self._rate > 0
        lookahead = Lookahead(gradients.shared, self._rate, again) if measured else None

        def visit(place: int, gradient: torch.Tensor) -> None:
            found = lookahead.losses_after(gradient) if lookahead is not None else None
            if found is not None:
                after[place] = found.cpu().double()

        gram = gram_matrix(losses.values, gradients, visit).cpu().double()
        return (gram + gram.T) / 2, after  # matrix products are not exactly symmetric

    def _add_helpers(
        self, gram: torch.Tensor, norms: torch.Tensor, affinity: torch.Tensor, tasks: torch.Tensor
    ) -> None:
        """Compare each auxiliary gradient with the sum of main gradients; Du et al. (2018) use one main task."""
        main = tasks < self.main
        helpers, places = ~main, tasks[tasks >= self.main] - self.main
        size = norms[helpers] * gram[main][:, main].sum().sqrt()
        cosine = (gram[helpers][:, main].sum(dim=1) / size).masked_fill(~(size > 0), torch.nan)
        onto = affinity[helpers][:, main].nanmean(dim=1)
        for means, found in (
            (self.helper_cosine, cosine),
            (self.helper_conflicts, _negative(cosine)),
            (self.helper_affinity, onto),
        ):
            means.add(_placed(found, places, len(self.names) - self.main))

    def _spread(self, matrix: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Expand a matrix of the tasks in the batch to all tasks; NaN for other tasks."""
        whole = torch.full((len(self.names),) * 2, torch.nan, dtype=matrix.dtype)
        whole[tasks.unsqueeze(1), tasks] = matrix
        return whole


def gram_matrix(
    values: torch.Tensor,
    gradients: StepGradients,
    visit: Callable[[int, torch.Tensor], None],
    held: int = HELD,
) -> torch.Tensor:
    """Compute the Gram matrix of the gradients of losses with respect to the shared parameters.

    If not all gradients fit into memory, they are processed in blocks; each block is multiplied with the later
    gradients, one at a time.

    Args:
        values: `(losses,)`, differentiable.
        gradients: Computes the gradients.
        visit: Called once per gradient with its index and the gradient, `(numbers,)`.
        held: Maximum number of gradient elements in memory; at least one gradient is stored.

    Returns:
        `(losses, losses)`, the dot products.
    """
    shared, count = gradients.shared, len(values)
    rows = max(1, held // sum(parameter.numel() for parameter in shared))
    gram = values.new_zeros((count, count))
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        block = gradients.of_each(values[start:stop], shared)
        gram[start:stop, start:stop] = block @ block.T
        for place in range(stop, count):
            products = block @ gradients.of_each(values[place : place + 1], shared)[0]
            gram[start:stop, place] = products
            gram[place, start:stop] = products
        for place, row in enumerate(block, start):
            visit(place, row)
        del block  # before the next block is allocated
    return gram


def _placed(values: torch.Tensor, places: torch.Tensor, size: int) -> torch.Tensor:
    whole = torch.full((size,), torch.nan, dtype=values.dtype)
    whole[places] = values
    return whole


def _negative(values: torch.Tensor) -> torch.Tensor:
    """Return 1 for negative values, 0 for other values and NaN for NaN, float64."""
    return (values < 0).double().masked_fill(values.isnan(), torch.nan)
