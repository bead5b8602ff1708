"""One trunk per task, with a penalty on their distance."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from mtl_core.builtins.architectures.modules.hard_sharing import SharedTrunk
from mtl_core.nn.architecture import Architecture, NetworkParts, validate_features
from mtl_core.nn.features import Features
from mtl_core.nn.task_keys import build_task_keys

Distance = Callable[[torch.Tensor], torch.Tensor]
"""Function from the tasks' versions of one parameter, `(tasks, numbers)`, to a scalar."""


class SoftSharingTrunks(Architecture):
    """One trunk per task, and a penalty on the distance between corresponding parameters.

    Args:
        parts: Factories of input layers and backbones.
        tasks: The tasks' names.
        distance: Distance between the tasks' versions of one parameter.
        strength: Factor of the distance.
    """

    def __init__(self, parts: NetworkParts, tasks: Sequence[str], distance: Distance, strength: float) -> None:
        super().__init__()
        first_trunk = SharedTrunk(parts)
        trunks = [first_trunk, *(deepcopy(first_trunk) for _ in tasks[1:])]
        self.trunks = nn.ModuleDict(dict(zip(build_task_keys(tasks), trunks, strict=True)))
        self.output = first_trunk.output
        self._distance = distance
        self._strength = strength

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Return the features of every active task's trunk."""
        features: list[Features | None] = []
        for trunk, is_active in zip(self.trunks.values(), active, strict=True):
            features.append(validate_features(trunk(inputs, [True])[0], self.output) if is_active else None)
        return features

    def regularization_loss(self) -> torch.Tensor | None:
        """Return strength times the distance, summed over parameters; None if there is no penalty."""
        if not self._strength or len(self.trunks) < 2:
            return None
        versions = zip(*(trunk.parameters() for trunk in self.trunks.values()), strict=True)
        trainable = [version for version in versions if version[0].requires_grad]
        distances = [
            self._distance(torch.stack([parameter.flatten() for parameter in version])) for version in trainable
        ]
        return self._strength * torch.stack(distances).sum() if distances else None

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return all parameters of the task's trunk."""
        return list(list(self.trunks.values())[task].parameters())


def squared_distance(versions: torch.Tensor) -> torch.Tensor:
    """Sum the mean squared distances from the tasks' mean over all numbers."""
    return (versions - versions.mean(dim=0)).square().sum() / len(versions)


def trace_norm(versions: torch.Tensor) -> torch.Tensor:
    """Compute the sum of the singular values: small if the tasks' parameters span a low-dimensional space.

    Singular values are the square roots of the eigenvalues of the Gram matrix of the tasks. The root has no
    gradient at 0, where equal tasks have all eigenvalues but one, so a small constant is added, in float64.
    """
    wide = versions.double()
    eigenvalues = torch.linalg.eigvalsh(wide @ wide.T).clamp_min(0)
    total: torch.Tensor = (eigenvalues + 1e-8).sqrt().sum().to(versions.dtype)
    return total
