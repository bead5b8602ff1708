"""Checks before training, and what is saved of a training that fails."""

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
    """Check that tasks share parameters if the weighting compares their gradients.

    Args:
        config: The experiment.
        network: The network.
        sizes: Number of tasks in each head group.

    Raises:
        MtlError: If the weighting compares gradients and the tasks share no trainable parameter.
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
    """Save the last finite weights of a failed training, and return the error to raise.

    Args:
        error: The failure.
        run: The run directory to save to.
        config: The experiment.
        prepared: The fitted data of the experiment.
        network: The network with the last finite weights, if there are any.

    Returns:
        An error whose message states what was saved.
    """
    kept = "Nothing is saved: there are no finite weights yet."
    if error.good is not None:
        save_model(run, config, network, prepared.encoder, prepared.groups)
        kept = f"Saved: {error.good}; `mtl predict {run.path}` and `mtl evaluate {run.path}` use them."
    return error.told(prepared.corpus.ids, kept)
