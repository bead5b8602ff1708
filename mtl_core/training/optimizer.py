"""Build the optimizer of a run, with learning rate multipliers per parameter group."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.training.objective import Objective


def build_optimizer(config: ExperimentConfig, network: nn.Module, objective: Objective) -> torch.optim.Optimizer:
    """Build the optimizer of the parameters of the network and, without weight decay, of the weighting.

    `training.lr_multipliers` maps patterns of parameter names to multipliers of the learning rate. If several
    patterns match, the longest applies, independent of their order in the file.

    Raises:
        MtlError: If a pattern matches no parameter.
    """
    lr_multipliers = config.training.lr_multipliers
    named_parameters = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    check_lr_multipliers(list(lr_multipliers), [name for name, _ in named_parameters])
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, weight in named_parameters:
        matches = [pattern for pattern in lr_multipliers if fnmatchcase(name, pattern)]
        factor = lr_multipliers[max(matches, key=len)] if matches else 1.0
        groups.setdefault(factor, []).append(weight)
    (first_factor, weights), *remaining_groups = [
        (factor, weights) for factor, weights in groups.items() if weights
    ] or [(1.0, [])]
    optimizer = config.optimizer.build(weights)
    lr = optimizer.param_groups[0]["lr"]
    for factor, weights in remaining_groups:
        optimizer.add_param_group({"params": weights, "lr": lr * factor})
    optimizer.param_groups[0]["lr"] = lr * first_factor
    weighting_parameters = [p for p in objective.parameters() if p.requires_grad]
    if weighting_parameters:
        optimizer.add_param_group({"params": weighting_parameters, "weight_decay": 0.0})
    return optimizer


def check_lr_multipliers(patterns: Sequence[str], names: Sequence[str]) -> None:
    """Check that every pattern matches a parameter name.

    Raises:
        MtlError: If a pattern matches no name; the message contains the available names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            prefixes = list(dict.fromkeys(_get_prefix_pattern(name) for name in names))
            raise MtlError(
                f"training.lr_multipliers: '{pattern}' matches no trainable parameter"
                f"{did_you_mean(pattern, prefixes)} (parameters: {join_names(prefixes)})"
            )


def _get_prefix_pattern(name: str) -> str:
    """Return the pattern of the first three parts of a parameter name; the name itself if it has no more."""
    parts = name.split(".")
    return name if len(parts) <= 3 else ".".join(parts[:3]) + ".*"
