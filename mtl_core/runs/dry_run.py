"""Validation of an experiment with its data: everything that a run does before its first training step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.calibration import check_calibration
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.evaluation.undefined_metrics import describe_undefined_metrics
from mtl_core.nn.features import FeatureShape
from mtl_core.nn.network import count_parameters
from mtl_core.plugins.optional_packages import check_packages
from mtl_core.runs.build_network import build_network
from mtl_core.runs.memory import check_training_memory
from mtl_core.runs.prepare_run import prepare_run, select_trained_tasks
from mtl_core.runs.training_stage import check_shared_parameters
from mtl_core.runs.warm_start import initialize_from_run
from mtl_core.seeding import isolate_torch_rng
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.objective import Objective


@dataclass(frozen=True)
class DryRun:
    """The result of a dry run.

    Attributes:
        data: The fitted data.
        features: The shape of the features that the heads read.
        output_shapes: Task name to the shape of its outputs for the batch.
        n_parameters: Number of parameters of the network.
        batch_size: Number of examples of the batch.
    """

    data: FittedData
    features: FeatureShape
    output_shapes: Mapping[str, tuple[int, ...]]
    n_parameters: int
    batch_size: int


def dry_run(config: ExperimentConfig) -> DryRun:
    """Load the data, fit the tasks, and compute the outputs and losses of one batch, without training.

    Args:
        config: The experiment.

    Raises:
        MtlError: If the data, the tasks and the network do not match.
    """
    check_packages(config.trackers)
    with isolate_torch_rng(), torch.no_grad():
        data = prepare_run(config)
        if config.training.calibrate:
            check_calibration(data)
        selection_data = select_trained_tasks(config, data)
        select = resolve_selection(config.training.select, selection_data.tasks, selection_data.inactive_tasks)
        data = replace(data, warnings=[*data.warnings, *describe_undefined_metrics(select, selection_data)])
        network = build_network(config, data.encoder, data.groups)
        check_training_memory(config, network, torch.device("cpu"))
        if config.init_from is not None:
            initialize_from_run(config.init_from, network, data.groups, data.encoder)
        objective = Objective(data.groups, config.weighting, config.seed)
        check_shared_parameters(config, network, objective.group_sizes)
        rows = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths).get_batches(0)[0]
        batch = data.examples.build_batch(rows, torch.device("cpu"))
        outputs = network(batch.inputs, None, batch.masked_inputs)
        objective.compute_task_losses(outputs, batch, objective.compute_masks(batch))
    output_shapes = {
        task.name: (len(rows), *output.outputs.shape[2:])
        for group, output in zip(data.groups, outputs, strict=True)
        for task in group.tasks
    }
    return DryRun(data, network.trunk.output, output_shapes, count_parameters(network), len(rows))
