"""Trainings that cannot be done, and what is kept of those that fail on the way."""

from collections.abc import Sequence

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.saved import save_model
from mtl_core.training.gradients import shared_parameters
from mtl_core.training.not_finite import TrainingFailedError


def check_balancing(config: ExperimentConfig, network: MultiTaskNetwork, sizes: Sequence[int]) -> None:
    """Refuse a weighting that compares tasks' gradients where tasks share no parameter.

    Args:
        config: The experiment.
        network: The network.
        sizes: Tasks in each of its groups.

    Raises:
        MtlError: If there is nothing to compare.
    """
    if config.weighting.balances_gradients and not shared_parameters(network, sizes):
        raise MtlError(
            f"weighting '{config.weighting.type}': compares the gradients of tasks at the parameters that they "
            f"share, but with the architecture '{config.architecture.type}' and the backbone "
            f"'{config.backbone.type}' they share none that is trained; choose a weighting of losses (`static`) or "
            "another architecture (`hard-sharing`)"
        )


def failure(
    error: TrainingFailedError,
    run: RunDirectory,
    config: ExperimentConfig,
    prepared: Prepared,
    network: MultiTaskNetwork,
) -> MtlError:
    """Keep the last good weights of a training that failed, and say so.

    Args:
        error: What happened.
        run: Where to keep them.
        config: The experiment.
        prepared: Its data.
        network: Holds the last good weights, if there are any.
    """
    kept = "Nothing is kept: there were no good weights yet."
    if error.good is not None:
        save_model(run, config, network, prepared.encoder, prepared.groups)
        kept = f"Kept: {error.good}; `mtl predict {run.path}` and `mtl evaluate {run.path}` use them."
    return error.told(prepared.corpus.ids, kept)
