"""Evaluation of a split by independent networks: after their training, or from a run directory."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mtl_core.artifacts.network_files import get_networks_file
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.corpus import SplitName
from mtl_core.data.fitted_data import FittedData
from mtl_core.errors import MtlError
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import Scores
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.batched_networks.build import build_single_network, get_group
from mtl_core.runs.batched_networks.validation import iterate_outputs, pool_networks
from mtl_core.runs.result_files import get_split_rows
from mtl_core.runs.saved_outputs import OutputCollector
from mtl_core.seeding import isolate_torch_rng
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.batched_networks.trainer import LiveTasks


def evaluate_networks(
    config: ExperimentConfig,
    data: FittedData,
    networks: StackedNetworks,
    split_name: SplitName,
    run: RunDirectory | None,
) -> Scores:
    """Evaluate each network on the examples of a split with labels of its task.

    Args:
        config: The experiment.
        data: The fitted data of all networks.
        networks: The networks, all of them live.
        split_name: The name of the split.
        run: Where `outputs.safetensors` is written; None to compute scores only.
    """
    rows = get_split_rows(data, split_name)
    scorer = Scorer(data.groups)
    collector = OutputCollector(data.groups) if run is not None else None
    for outputs in iterate_outputs(networks, LiveTasks(get_group(data), networks.live, config), data, rows):
        scorer.update(outputs)
        if collector is not None:
            collector.update(outputs)
    if run is not None and collector is not None:
        collector.write(run, split_name, rows, [data.corpus.ids[row] for row in rows.tolist()])
    task_scores = scorer.compute().tasks
    return pool_networks([(task.name, task_scores[task.name]) for task in data.tasks])


def load_networks(run: RunDirectory, config: ExperimentConfig, data: FittedData) -> StackedNetworks:
    """Load the saved networks of a run.

    Args:
        run: The directory of the run.
        config: Its experiment.
        data: The fitted data of its networks, prepared from this experiment.

    Raises:
        MtlError: If the file of the networks is missing or damaged, or does not fit the experiment.
    """
    path = run.require_file(get_networks_file(run))
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise MtlError(f"{path}: damaged: {error}") from error
    prefix = "networks."
    stacked = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    shared = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    with isolate_torch_rng():
        network = build_single_network(config, data)
    try:
        _load_shared(network, shared)
        networks = StackedNetworks(network, len(get_group(data).tasks))
        networks.load_stacked(stacked)
    except (RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise MtlError(f"{path}: these weights do not fit the run's config: {reason}") from error
    return networks


def _load_shared(network: MultiTaskNetwork, shared: dict[str, torch.Tensor]) -> None:
    """Load the weights that are not trained, which all networks share."""
    unexpected = network.load_state_dict(shared, strict=False).unexpected_keys
    if unexpected:
        raise KeyError(unexpected[0])
