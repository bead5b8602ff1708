"""Losses of a batch by task name, for custom training loops."""

from collections.abc import Iterator, Mapping

import torch

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.training.losses import TaskLosses
from mtl_core.training.non_finite import NonFiniteLossError


class NamedLosses(Mapping[str, torch.Tensor]):
    """The mean loss of each task with a label in a batch, by task name.

    It contains no task without labels, so `sum(losses.values())` is the loss of the tasks that have any.

    Args:
        values: The mean loss of each task with a label, a differentiable scalar.
        counts: The number of valid labels of each task, in the order of the tasks; 0 for tasks without a loss.
        weights: The declared weight of each task.
        outputs: The outputs of each task, from which its parameters are found; None for a task without outputs.

    Example:
        >>> losses = NamedLosses({"topic": torch.tensor(0.5)}, counts={"topic": 3, "rating": 0})
        >>> list(losses), losses.unlabelled
        (['topic'], ['rating'])
    """

    def __init__(
        self,
        values: Mapping[str, torch.Tensor],
        counts: Mapping[str, int],
        weights: Mapping[str, float] | None = None,
        outputs: Mapping[str, torch.Tensor | None] | None = None,
    ) -> None:
        self._values = dict(values)
        self.counts = dict(counts)
        """The number of valid labels of each task."""
        self.weights = dict.fromkeys(counts, 1.0) | dict(weights or {})
        """The declared weight of each task."""
        self.outputs = {name: value for name in counts if (value := (outputs or values).get(name)) is not None}
        """The outputs of each task."""

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return the loss of a task with a label."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the tasks with a label."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of tasks with a label."""
        return len(self._values)

    def __repr__(self) -> str:
        """Return the losses as numbers."""
        numbers = ", ".join(f"{name}={value.item():.4g}" for name, value in self._values.items())
        return f"NamedLosses({numbers})"

    @property
    def tasks(self) -> list[str]:
        """The names of all tasks, with and without labels."""
        return list(self.counts)

    @property
    def unlabelled(self) -> list[str]:
        """The names of the tasks without a label in the batch."""
        return [name for name, count in self.counts.items() if not count]


def as_named_losses(losses: object) -> NamedLosses:
    """Return losses as `NamedLosses`; a plain dictionary has no label counts, so each task counts as one label.

    Raises:
        MtlError: If they are not a dictionary of one scalar per task.
        NonFiniteLossError: If a loss is not finite.
    """
    if isinstance(losses, NamedLosses):
        return losses
    if not isinstance(losses, Mapping):
        found = "one tensor: a sum of losses" if isinstance(losses, torch.Tensor) else f"a {type(losses).__name__}"
        raise MtlError(f"expected a dictionary of one loss per task, as MaskedLosses returns it; found {found}")
    for name, value in losses.items():
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            found = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
            raise MtlError(f"the loss of task '{name}': expected a tensor with one number, its mean; found {found}")
        if not torch.isfinite(value):
            raise NonFiniteLossError(str(name), [])
    return NamedLosses({name: value.reshape(()) for name, value in losses.items()}, dict.fromkeys(losses, 1))


def check_differentiable(losses: NamedLosses) -> None:
    """Check that a loss depends on a parameter, if there is a loss.

    Raises:
        MtlError: If none does.
    """
    if losses and not any(value.requires_grad for value in losses.values()):
        raise MtlError(
            f"the losses of {join_names(losses)} depend on no parameter that requires gradients; the outputs are "
            "detached, or were computed under torch.no_grad"
        )


def stack_losses(losses: NamedLosses, tasks: list[str]) -> TaskLosses:
    """Return the losses as the `TaskLosses` that weightings receive.

    Args:
        losses: The losses of a batch.
        tasks: The names of all tasks of the weighting, in its order.

    Raises:
        MtlError: If a loss belongs to none of these tasks.
    """
    for name in losses:
        if name not in tasks:
            raise MtlError(
                f"there is a loss of task '{name}', which the weighting does not know{did_you_mean(name, tasks)} "
                f"(tasks: {join_names(tasks)})"
            )
    indices = [index for index, name in enumerate(tasks) if name in losses]
    values = torch.stack([losses[tasks[index]] for index in indices]) if indices else torch.zeros(0)
    device = values.device
    counts = torch.tensor([losses.counts.get(name, 0) for name in tasks], device=device)
    return TaskLosses(values, torch.tensor(indices, dtype=torch.int64, device=device), counts)
