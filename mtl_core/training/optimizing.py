"""Build the optimizer of a run, with learning rate multipliers per parameter group."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.training.objective import Objective


def build_optimizer(config: ExperimentConfig, network: nn.Module, objective: Objective) -> torch.optim.Optimizer:
    """Build the optimizer of the parameters of the network and, without weight decay, of the weighting.

    `training.rates` maps patterns of parameter names to multipliers of the learning rate. If several patterns
    match, the longest applies, independent of their order in the file.

    Raises:
        MtlError: If a pattern matches no parameter.
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
    """Check that every pattern matches a parameter name.

    Raises:
        MtlError: If a pattern matches no name; the message contains the available names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            beginnings = list(dict.fromkeys(".".join(name.split(".")[:3]) + ".*" for name in names))
            raise MtlError(
                f"training.rates: '{pattern}' matches no trainable parameter{did_you_mean(pattern, beginnings)} "
                f"(parameters: {listed(beginnings)})"
            )
