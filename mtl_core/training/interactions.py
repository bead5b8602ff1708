"""What tasks do to each other: their gradients at what they share, compared while training goes on."""

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
"""Numbers of gradients that are held at a time; of more, some gradients are computed several times."""


class InteractionObserver(nn.Module):
    """Looks, every so many steps, at the gradients of the tasks that have labels in the batch; changes nothing.

    Gradients are those of the tasks' losses before any weight. Affinity is that of Fifty et al. (2021, "Efficiently
    Identifying Task Groupings for Multi-Task Learning"): after a plain gradient step of the shared parameters along
    task i's gradient alone, with the learning rate of the moment, `1 - loss of j after / loss of j before` on the
    same batch, under the same dropout masks. So what differs is the step alone.

    All that is seen is kept in buffers, on the CPU.

    Args:
        names: The tasks, in the order of the losses: main tasks, then auxiliary ones.
        main: How many of them are main tasks.
        settings: How often, and what.
        epochs: How many there are at most.

    Attributes:
        seconds: What looking has taken in this process.
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
        """Be told where the run stands, and say whether to look at the step that is about to be taken.

        Args:
            step: Counted from 0.
            rate: Its learning rate.
        """
        self._rate = rate
        return step % self.settings.every == 0

    def before_step(self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]) -> None:
        """Take in what tasks' gradients say in this batch."""
        start = perf_counter()
        tasks = losses.tasks.cpu()
        gram, after = self._look(losses, gradients, again)
        norms = gram.diagonal().sqrt()
        usable = (norms > 0) & norms.isfinite()
        pairs = usable.unsqueeze(1) & usable
        cosine = (gram / torch.outer(norms, norms)).clamp(-1, 1).masked_fill(~pairs, torch.nan)
        before = losses.values.detach().cpu().double()
        # Relative to a loss that is not positive, nothing can be said.
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
        """Be told that an epoch is over.

        Args:
            epoch: Counted from 1.
        """
        self.over_time[epoch - 1] = self.epoch_cosine.mean()
        self.epoch_cosine.clear()

    def _look(
        self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute products of gradients `(active, active)`, and losses of j after a step along i, `[i, j]`."""
        count = len(losses.values)
        after = torch.full((count, count), torch.nan, dtype=torch.float64)
        measured = self.settings.affinity and self._rate > 0
        lookahead = Lookahead(gradients.shared, self._rate, again) if measured else None

        def visit(place: int, gradient: torch.Tensor) -> None:
            found = lookahead.losses_after(gradient) if lookahead is not None else None
            if found is not None:
                after[place] = found.cpu().double()

        gram = gram_matrix(losses.values, gradients, visit).cpu().double()
        return (gram + gram.T) / 2, after  # products of matrices are not symmetric to the last bit

    def _add_helpers(
        self, gram: torch.Tensor, norms: torch.Tensor, affinity: torch.Tensor, tasks: torch.Tensor
    ) -> None:
        """Compare each auxiliary gradient with the sum of the main tasks', as Du et al. (2018) with that of one."""
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
        """Put a matrix of the tasks in the batch into one of all tasks."""
        whole = torch.full((len(self.names),) * 2, torch.nan, dtype=matrix.dtype)
        whole[tasks.unsqueeze(1), tasks] = matrix
        return whole


def gram_matrix(
    values: torch.Tensor,
    gradients: StepGradients,
    visit: Callable[[int, torch.Tensor], None],
    held: int = HELD,
) -> torch.Tensor:
    """Compute the products of all pairs of losses' gradients at the shared parameters.

    Not all gradients need to be held: of many, a block is, and those that come after it pass by one at a time.

    Args:
        values: `(losses,)`, differentiable.
        gradients: Passes backward.
        visit: Is given each gradient once, `(numbers,)`, with its place.
        held: Numbers that may be held; at least one gradient is.

    Returns:
        `(losses, losses)`.
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
        del block  # before the next one is made
    return gram


def _placed(values: torch.Tensor, places: torch.Tensor, size: int) -> torch.Tensor:
    whole = torch.full((size,), torch.nan, dtype=values.dtype)
    whole[places] = values
    return whole


def _negative(values: torch.Tensor) -> torch.Tensor:
    """1 where a value is negative, 0 where it is not, NaN where there is none."""
    return (values < 0).double().masked_fill(values.isnan(), torch.nan)
