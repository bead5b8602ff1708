"""The optimizer of a run, with a learning rate of its own for parts of the network."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.training.objective import Objective


def build_optimizer(config: ExperimentConfig, network: nn.Module, objective: Objective) -> torch.optim.Optimizer:
    """Build the optimizer of the network's parameters, and of the weighting's, which no weight decay draws to 0.

    Parameters whose names fit a pattern of `training.rates` learn at that factor of the learning rate; of several
    patterns, the longest counts, so that their order in a file does not matter.

    Raises:
        MtlError: If a pattern fits no weight.
    """
    rates = config.training.rates
    named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    check_rates(list(rates), [name for name, _ in named])
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, weight in named:
        fitting = [pattern for pattern in rates if fnmatchcase(name, pattern)]
        factor = rates[max(fitting, key=len)] if fitting else 1.0
        groups.setdefault(factor, []).append(weight)
    (first, weights), *others = [(factor, weights) for factor, weights in groups.items() if weights] or [(1.0, [])]
    optimizer = config.optimizer.build(weights)
    rate = optimizer.param_groups[0]["lr"]
    for factor, weights in others:
        optimizer.add_param_group({"params": weights, "lr": rate * factor})
    optimizer.param_groups[0]["lr"] = rate * first
    weighing = [p for p in objective.parameters() if p.requires_grad]
    if weighing:
        optimizer.add_param_group({"params": weighing, "weight_decay": 0.0})
    return optimizer


def check_rates(patterns: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a pattern that fits no weight, which is a misspelt one.

    Raises:
        MtlError: With the names that there are.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            beginnings = list(dict.fromkeys(".".join(name.split(".")[:3]) + ".*" for name in names))
            raise MtlError(
                f"training.rates: '{pattern}' fits no weight that is trained{did_you_mean(pattern, beginnings)} "
                f"(there are {listed(beginnings)})"
            )
