"""A weighting with its state, for custom training loops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.resolve_spec import resolve_spec
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.seeding import derive_seed
from mtl_core.training.declared_tasks import TaskDeclarations, list_declared_tasks
from mtl_core.training.graph_gradients import GraphGradients, SharedParameters
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.losses import TaskLosses
from mtl_core.training.named_losses import NamedLosses, as_named_losses, check_differentiable, stack_losses
from mtl_core.training.task_gradients import TaskGradients
from mtl_core.training.weighting import Weighting


class TaskWeighting(nn.Module):
    """A weighting of the losses of several tasks, with its state.

    Make it part of your module, so that the optimizer updates its parameters (of `uncertainty`; without weight decay),
    and checkpoints contain its state (of `dwa`, `gradnorm`, `famo` and others).

    Args:
        weighting: The weighting: a name (`"uncertainty"`), a spec, or a block with a `type`, as in YAML.
        tasks: The tasks, as for `MaskedLosses`; only their names and weights are used.
        weights: Mapping of task name to a positive weight; by default that of the task, or 1.
        seed: Seed of weightings with random draws, such as `random` and `pcgrad`.
        total_steps: The number of steps of the training, for weightings that depend on it; None if unknown.

    Raises:
        MtlError: If the weighting is unknown, an option is invalid, or a package is missing.

    Example:
        >>> weighting = TaskWeighting("uncertainty", ["topic", "rating"])
        >>> losses = {name: torch.tensor(1.0, requires_grad=True) for name in ["topic", "rating"]}
        >>> weighting(losses).item()
        2.0
        >>> len(list(weighting.parameters()))
        2
    """

    step: torch.Tensor

    def __init__(
        self,
        weighting: object,
        tasks: TaskDeclarations,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
        total_steps: int | None = None,
    ) -> None:
        super().__init__()
        declared = list_declared_tasks(tasks)
        self.names = [task.name for task in declared]
        """The names of the tasks."""
        self.spec = resolve_weighting(weighting)
        """The spec of the weighting."""
        task_weights = {task.name: task.weight for task in declared} | _validate_weights(weights or {}, self.names)
        self.weighting = self.spec.build(self.names, [task_weights[name] for name in self.names])
        self.seed = seed
        """The seed of random draws."""
        self._total_steps = total_steps
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._meter = LossMeter(self.names)
        self._awaits_step_end = False

    def forward(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Combine losses into the scalar to minimise, for trainers that call `backward` themselves.

        With gradients enabled, a call counts as one step. Call it under `torch.no_grad` for validation losses.

        Args:
            losses: The losses of a batch, from `MaskedLosses`, or one scalar per task.

        Returns:
            The scalar; a zero without a label in the batch.

        Raises:
            MtlError: If the weighting balances gradients, so that it needs `mtl_core.backward`.
        """
        if overrides_method(self.weighting, "backward"):
            raise MtlError(
                f"the weighting '{self.spec.type}' needs the gradients or the losses of each step, not only a sum; "
                "call mtl_core.backward(losses, weighting) instead of weighting(losses)"
            )
        named_losses = as_named_losses(losses)
        is_step = torch.is_grad_enabled()
        if is_step:
            check_differentiable(named_losses)
            self._start_step()
        task_losses = stack_losses(named_losses, self.names)
        if not len(task_losses.values):
            return torch.zeros((), requires_grad=True)  # its backward pass gives no parameter a gradient
        self._match_device(task_losses.values.device)
        self._check_processes()
        total: torch.Tensor = self.weighting(task_losses)
        if is_step:  # without the weight of each loss, which the trainer's backward pass determines
            self._meter.add(replace(task_losses, values=task_losses.values.detach()))
        return total

    def backward(
        self,
        losses: NamedLosses,
        shared: SharedParameters | None = None,
        extra_loss: torch.Tensor | None = None,
    ) -> None:
        """Add the gradients of a step to all parameters; `mtl_core.backward` calls it."""
        check_differentiable(losses)
        self._start_step()
        task_losses = stack_losses(losses, self.names)
        if not len(task_losses.values):
            if extra_loss is not None and extra_loss.requires_grad:
                extra_loss.backward()  # type: ignore[no-untyped-call]
            return
        self._match_device(task_losses.values.device)
        self._check_processes()
        # Weightings of losses need one backward pass of their total, and no search for shared parameters.
        needs_parameters = overrides_method(self.weighting, "backward")
        gradients = GraphGradients(losses, self.names, shared) if needs_parameters else TaskGradients([], [], [])
        if self.spec.balances_gradients and not gradients.shared and len(losses.outputs) > 1:
            raise MtlError(
                f"the weighting '{self.spec.type}' balances gradients, but no parameter is shared by two tasks; name "
                "the shared module, as in backward(losses, weighting, shared=model.trunk)"
            )
        gradients.loss_weights = task_losses.values
        self.weighting.backward(task_losses, extra_loss, gradients)
        self._meter.add(task_losses)
        self._awaits_step_end = self.weighting.recomputes_losses

    def on_step_end(self, recompute_losses: Callable[[], Mapping[str, torch.Tensor]]) -> None:
        """Update the weighting after the optimizer's step; only `famo` with `same_batch: true` needs it.

        Args:
            recompute_losses: Computes the losses of the same batch again: `lambda: criterion(model(inputs), targets)`.
        """

        def recompute() -> TaskLosses:
            with torch.no_grad():
                losses = recompute_losses()
                if not isinstance(losses, NamedLosses):
                    losses = NamedLosses(losses, dict.fromkeys(losses, 1))
                return stack_losses(losses, self.names)

        self._awaits_step_end = False
        self.weighting.on_step_end(recompute)

    def on_epoch_end(self) -> dict[str, float | None]:
        """Update the weighting with the mean losses of the epoch; `dwa` needs it.

        Returns:
            Task name to its mean loss per label since the last call; None without labels.
        """
        means = self._meter.compute_means()
        self.weighting.on_epoch_end(list(means.values()))
        self._meter = LossMeter(self.names)
        return means

    def compute_mean_weights(self) -> dict[str, float | None]:
        """Return the mean weight of each task's loss in the steps of this epoch; empty if it is unknown."""
        return self._meter.compute_mean_weights()

    def get_extra_state(self) -> torch.Tensor:
        """Return the sums of the current epoch as one tensor, `(4, tasks)`, float64, which safetensors saves, too."""
        return torch.stack([tensor.double() for tensor in self._meter.get_tensors().values()])

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Load the sums of the current epoch."""
        current = self._meter.get_tensors()
        rows = state.detach().cpu().unbind()
        self._meter.restore({key: row.to(current[key].dtype) for key, row in zip(current, rows, strict=True)})

    def _start_step(self) -> None:
        if self._awaits_step_end:
            raise MtlError(
                f"the weighting '{self.spec.type}' measures each step on its own batch; after optimizer.step(), call "
                "weighting.on_step_end(lambda: criterion(model(inputs), targets))"
            )
        step = int(self.step)
        self.weighting.on_step_start(step, self._total_steps or step + 1, derive_seed(self.seed, "weighting", step))
        self.step += 1

    def _match_device(self, device: torch.device) -> None:
        """Move the state to the device of the losses, if the module is not part of the user's module."""
        if next((tensor.device for tensor in (*self.parameters(), *self.buffers())), device) != device:
            self.to(device)

    def _check_processes(self) -> None:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        is_local = overrides_method(self.weighting, "backward") or overrides_method(self.weighting, "on_epoch_end")
        if is_local and torch.distributed.get_world_size() > 1:
            raise MtlError(
                f"the weighting '{self.spec.type}' sees the losses and gradients of one process only; for several "
                "processes use `mtl run`, or a weighting without state per process, such as 'uncertainty'"
            )


def resolve_weighting(weighting: object) -> WeightingSpec:
    """Return the spec of a weighting.

    Raises:
        MtlError: If it is unknown, or an option is invalid.
    """
    spec = resolve_spec("weightings", weighting, "weighting")
    assert isinstance(spec, WeightingSpec)  # noqa: S101  the extension point's base class
    return spec


def overrides_method(weighting: Weighting, name: str) -> bool:
    """Return whether a weighting overrides a method of `Weighting`."""
    return getattr(type(weighting), name) is not getattr(Weighting, name)


def _validate_weights(weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    for name, weight in weights.items():
        if name not in names:
            raise MtlError(
                f"weights: there is no task '{name}'{did_you_mean(name, names)} (tasks: {join_names(names)})"
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
            raise MtlError(
                f"weights: expected a positive number for task '{name}', found {weight!r}; a task that does not count "
                "is left out of the losses"
            )
    return {name: float(weight) for name, weight in weights.items()}
