"""Decide which single-task networks are trained at once, in batches of limited memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.baselines import build_independent_overrides
from mtl_core.plugins.active_registry import use_registry

MAX_BYTES = 1_000_000_000
"""Upper limit of the memory of the networks of one batch."""
MAX_NETWORKS = 128
"""Maximum number of networks of one batch: several batches can be trained in parallel, and finished ones are kept."""
OPTIMIZERS = frozenset({"sgd", "adam", "adamw"})
"""Optimizers that update every parameter by itself."""


@dataclass(frozen=True)
class NetworkBatches:
    """How the single-task networks are trained.

    Attributes:
        batches: The tasks of each batch of networks that are trained at once.
        separate: The tasks whose networks are trained in a run each.
        bytes_per_network: Memory per network; 0 without batches.
        train_s: Seconds of training per network, with the validation after each epoch, by task; empty if unknown.
        obstacle: Why networks are trained in a run each; empty if they are not, or if they are few.
    """

    batches: Sequence[Sequence[str]]
    separate: Sequence[str]
    bytes_per_network: int
    train_s: dict[str, float]
    obstacle: str

    @staticmethod
    def separate_runs(tasks: Sequence[str], obstacle: str = "") -> "NetworkBatches":
        """Return a run per network."""
        return NetworkBatches([], list(tasks), 0, {}, obstacle)


def find_config_obstacle(config: ExperimentConfig, uses_gpu: bool) -> str:
    """Return why the networks of an experiment cannot be trained at once; empty if no setting prevents it.

    Args:
        config: The experiment of one network.
        uses_gpu: Whether networks are trained on a GPU.
    """
    training = config.training
    settings = {
        f"the architecture '{config.architecture.type}'": config.architecture.type != "hard-sharing",
        f"the optimizer '{config.optimizer.type}'": config.optimizer.type not in OPTIMIZERS,
        f"training.precision: {training.precision}": training.precision != "fp32",
        "training.r_drop": training.r_drop > 0,
        "training.refit": training.refit,
        "training.calibrate": training.calibrate,
        "training.lr_multipliers": bool(training.lr_multipliers),
        "init_from": config.init_from is not None,
        "extends": config.extends is not None,
        "auxiliary tasks": bool(config.auxiliary),
        "trackers": bool(config.trackers),
        "dropout of the entries of inputs": getattr(config.encoder, "input_dropout", 0.0) > 0,
        "dropout on a GPU": uses_gpu and _has_dropout(config),
    }
    names = [name for name, is_set in settings.items() if is_set]
    return f"{names[0]} is computed for one network only" if names else ""


def _has_dropout(config: ExperimentConfig) -> bool:
    specs = [config.encoder, config.backbone, *(task.head for task in config.tasks)]
    return any(getattr(spec, "dropout", 0.0) > 0 for spec in specs)


def plan_networks(
    source: ExperimentSource, overrides: Sequence[str], base: Experiment, tasks: Sequence[str], batched: bool | None
) -> NetworkBatches:
    """Decide which single-task networks of an experiment are trained at once.

    Args:
        source: The experiment.
        overrides: Overrides of all networks.
        base: The validated experiment with these overrides.
        tasks: The names of the tasks.
        batched: Whether the networks are trained at once; None for more than 20 tasks, where possible.

    Raises:
        MtlError: If they must be trained at once, but cannot.
    """
    if batched is False or (batched is None and not has_many_tasks(len(tasks))):
        return NetworkBatches.separate_runs(tasks)
    experiment = source.load([*overrides, *build_independent_overrides(base.config, tasks)])
    with use_registry(experiment.registry):
        networks = plan_batches(experiment.config, tasks)
    if batched and networks.obstacle:
        raise MtlError(f"--batched: the single-task networks cannot be trained at once: {networks.obstacle}")
    return networks


def plan_batches(config: ExperimentConfig, tasks: Sequence[str]) -> NetworkBatches:
    """Group tasks whose networks have the same form, test whether they can be trained at once, and split the groups.

    Args:
        config: The experiment of the networks; its active tasks are `tasks`.
        tasks: The names of the tasks.
    """
    import torch

    obstacle = find_config_obstacle(config, torch.cuda.is_available())
    if obstacle:
        return NetworkBatches.separate_runs(tasks, obstacle)
    from mtl_core.data.prepare import prepare
    from mtl_core.runs.batched_networks.build import select_group
    from mtl_core.runs.batched_networks.probe import probe_networks
    from mtl_core.runs.memory import NetworkTooLargeError

    data = prepare(config)
    plan = NetworkBatches([], [], 0, {}, "")
    for index, group in enumerate(data.groups):
        names = [task.name for task in group.tasks]
        if len(names) == 1:
            plan = replace(plan, separate=[*plan.separate, *names])
            continue
        try:
            costs = probe_networks(config, select_group(data, index))
        except NetworkTooLargeError:
            raise  # a run per network would not fit, either
        except MtlError as error:
            plan = replace(plan, separate=[*plan.separate, *names], obstacle=str(error))
            continue
        plan = replace(
            plan,
            batches=[*plan.batches, *split_names(names, max(1, min(MAX_NETWORKS, MAX_BYTES // costs.n_bytes)))],
            bytes_per_network=max(plan.bytes_per_network, costs.n_bytes),
            train_s=plan.train_s | dict.fromkeys(names, costs.step_s + costs.validation_s),
        )
    return plan


def split_names(names: Sequence[str], max_size: int) -> list[list[str]]:
    """Split names into batches of nearly equal size.

    Args:
        names: The names.
        max_size: The largest size of a batch.
    """
    n_batches = ceil(len(names) / max_size)
    size = ceil(len(names) / n_batches)
    return [list(names[start : start + size]) for start in range(0, len(names), size)]
