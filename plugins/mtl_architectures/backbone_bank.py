"""The backbones of all tasks: one batched computation with stacked weights where the backbone allows it."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import nn
from torch.func import functional_call

from mtl_architectures.stacked_gates import select_active
from mtl_core import Features, FeatureShape
from mtl_core.nn import TaskFeatures, build_task_keys, validate_features


class BackboneBank(nn.Module):
    """Base class of the backbones of all tasks; `forward` returns `(active tasks, backbones, batch, ...)`.

    Attributes:
        output: The shape of the features of each backbone.
    """

    output: FeatureShape

    def forward(self, features: Features | TaskFeatures, active: Sequence[bool]) -> torch.Tensor:
        """Run the backbones of the active tasks.

        Args:
            features: The features that all tasks read, or those of the active tasks.
            active: Whether each task is active.
        """
        raise NotImplementedError

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the task."""
        return []

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters of one task."""
        return []


def build_backbone_bank(build: Callable[[], nn.Module], tasks: Sequence[str], backbones: int) -> BackboneBank:
    """Build several backbones per task.

    Recurrent layers have no batched form, and modules with buffers (batch normalization) may change them: those are
    computed one after another.

    Args:
        build: Builds a backbone.
        tasks: The names of the tasks.
        backbones: Number of backbones per task, at least 1.
    """
    modules = [[build() for _ in range(backbones)] for _ in tasks]
    first = modules[0][0]
    is_recurrent = any(isinstance(module, nn.RNNBase) for module in first.modules())
    if is_recurrent or any(True for _ in first.buffers()):
        return SeparateBackbones(modules, tasks)
    return StackedBackbones(modules)


class StackedBackbones(BackboneBank):
    """Backbones whose weights are stacked by task, computed in one batch by `torch.vmap`.

    Args:
        modules: The backbones of each task, all of one kind.
    """

    def __init__(self, modules: Sequence[Sequence[nn.Module]]) -> None:
        super().__init__()
        first = modules[0][0]
        self.output = first.output  # type: ignore[assignment]
        parameters = [[dict(module.named_parameters()) for module in row] for row in modules]
        self._names = [name for name, _ in first.named_parameters()]
        self.weights = nn.ParameterDict(
            {
                _build_key(name): nn.Parameter(
                    torch.stack([torch.stack([module[name].detach() for module in row]) for row in parameters]),
                    parameter.requires_grad,
                )
                for name, parameter in first.named_parameters()
            }
        )
        # In a tuple, so that its parameters, which `functional_call` replaces, are none of this module.
        self._template = (deepcopy(first).to("meta"),)

    def forward(self, features: Features | TaskFeatures, active: Sequence[bool]) -> torch.Tensor:
        """Run all backbones of the active tasks in one batch."""
        template = self._template[0].train(self.training)

        def run(weights: dict[str, torch.Tensor], values: torch.Tensor) -> torch.Tensor:
            output = functional_call(template, weights, (Features(values, features.mask),))
            return validate_features(output, self.output).values

        weights = {name: select_active(self.weights[_build_key(name)], active) for name in self._names}
        run_task = torch.vmap(run, in_dims=(0, None), randomness="different")
        task_dim = 0 if isinstance(features, TaskFeatures) else None
        run_all = torch.vmap(run_task, in_dims=(0, task_dim), randomness="different")
        values: torch.Tensor = run_all(weights, features.values)
        return values

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return all parameters."""
        return list(self.weights.parameters())


class SeparateBackbones(BackboneBank):
    """Backbones of all tasks, computed one after another.

    Args:
        modules: The backbones of each task.
        tasks: The names of the tasks.
    """

    def __init__(self, modules: Sequence[Sequence[nn.Module]], tasks: Sequence[str]) -> None:
        super().__init__()
        self.output = modules[0][0].output  # type: ignore[assignment]
        self.tasks = nn.ModuleDict(
            {key: nn.ModuleList(row) for key, row in zip(build_task_keys(tasks), modules, strict=True)}
        )

    def forward(self, features: Features | TaskFeatures, active: Sequence[bool]) -> torch.Tensor:
        """Run the backbones of the active tasks."""
        rows = [row for row, is_active in zip(self.tasks.values(), active, strict=True) if is_active]
        inputs: Sequence[Features | None] = [features] * len(rows) if isinstance(features, Features) else features
        task_inputs = [one for one in inputs if one is not None]
        return torch.stack(
            [
                torch.stack([validate_features(backbone(one), self.output).values for backbone in row])  # type: ignore[attr-defined]
                for row, one in zip(rows, task_inputs, strict=True)
            ]
        )

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters of the task's backbones."""
        return list(list(self.tasks.values())[task].parameters())


def _build_key(name: str) -> str:
    """Return a parameter's name as a key of `torch.nn.ParameterDict`, which contains no dot."""
    return name.replace(".", "/")
