"""The training of a run that extends a finished run by tasks."""

from collections.abc import Sequence

import torch

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.extension import Extension
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.calibration import Calibration, apply_calibration, calibrate
from mtl_core.nn.device import get_device
from mtl_core.nn.frozen_trunk import FrozenTrunkNetwork
from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.named_weights import collect_named_weights
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.distributed import raise_on_every_rank
from mtl_core.runs.extension_data import load_parent, select_tasks
from mtl_core.runs.saved_run import SavedRun
from mtl_core.runs.training_stage import RunContext, TrainedNetwork, fit_network
from mtl_core.runs.warm_start import WarmStartReport
from mtl_core.seeding import derive_seed
from mtl_core.training.interaction_observer import InteractionObserver


def train_extension(
    context: RunContext, extension: Extension, data: FittedData, observer: InteractionObserver | None = None
) -> TrainedNetwork:
    """Train the heads of the added tasks, or the whole network from the weights of the extended run.

    The added tasks alone select the epoch: the validation labels of the other tasks remain unused, so that they can
    show afterwards whether those tasks got worse.

    Args:
        context: The run.
        extension: The block `extends` of its experiment.
        data: The data from `prepare_extension`.
        observer: Measures task interactions.

    Raises:
        MtlError: If training fails.
    """
    with raise_on_every_rank():
        parent = load_parent(context.config, extension)
        heads = _build_heads(context.config.seed, parent, data)
    trained_data = select_tasks(data, extension.tasks)
    if extension.mode == "joint":
        network = MultiTaskNetwork(parent.network.trunk, heads, _list_sizes(data))
        result = fit_network(context, network, data, trained_data, "selection", observer=observer)
    else:
        added_heads = _select_added(heads, extension, data)
        trained = FrozenTrunkNetwork(parent.network.trunk, added_heads, _list_sizes(trained_data))
        result = fit_network(context, trained, trained_data, trained_data, "selection", observer=observer)
        for head in heads:
            head.requires_grad_(head in added_heads)
        network = FrozenTrunkNetwork(parent.network.trunk, heads, _list_sizes(data)).to(get_device(trained))
        network = context.accelerator.prepare_model(network, evaluation_mode=True)
    return TrainedNetwork(network, data, result, _report_weights(extension, parent, data, network))


def calibrate_extension(context: RunContext, extension: Extension, trained: TrainedNetwork) -> Calibration | None:
    """Calibrate an extended run after its validation.

    With a frozen network, the tasks of the extended run keep their calibration. Otherwise all are calibrated again.

    Returns:
        The new calibration; None without `training.calibrate`.
    """
    network, data = trained.network, trained.data
    if extension.mode == "frozen":
        state = RunDirectory(extension.run).read_state()
        apply_calibration(data.groups, {task["name"]: task.get("calibration", {}) for task in state["tasks"]})
        added_heads = _select_added(network.head_groups(), extension, data)
        data = select_tasks(data, extension.tasks)
        network = FrozenTrunkNetwork(network.trunk, added_heads, _list_sizes(data))
    return calibrate(network, data) if context.config.training.calibrate else None


def _list_sizes(data: FittedData) -> list[int]:
    return [len(group.tasks) for group in data.groups]


def _select_added(heads: Sequence[HeadGroup], extension: Extension, data: FittedData) -> list[HeadGroup]:
    """Return the heads of the added tasks."""
    pairs = zip(heads, data.groups, strict=True)
    return [head for head, group in pairs if group.tasks[0].name in extension.tasks]


def _build_heads(seed: int, parent: SavedRun, data: FittedData) -> list[HeadGroup]:
    """Return the heads of the run, and new ones, whose weights depend on the seed and the names of their tasks."""
    trained = {
        group.tasks[0].name: head for group, head in zip(parent.groups, parent.network.head_groups(), strict=True)
    }
    heads = []
    for group in data.groups:
        name = group.tasks[0].name
        if name not in trained:
            torch.manual_seed(derive_seed(seed, "init", name))
        heads.append(trained[name] if name in trained else group.build_heads(parent.network.trunk.output))
    return heads


def _report_weights(
    extension: Extension, parent: SavedRun, data: FittedData, network: MultiTaskNetwork
) -> WarmStartReport:
    names = [[task.name for task in group.tasks] for group in data.groups]
    weights = collect_named_weights(network, names)
    prefixes = tuple(f"heads.{name}." for name in extension.tasks)
    n_numbers = sum(parameter.numel() for parameter in parent.network.parameters())
    return WarmStartReport(
        str(extension.run),
        [name for name in weights if not name.startswith(prefixes)],
        n_numbers,
        {},
        {name: "of an added task" for name in weights if name.startswith(prefixes)},
    )
