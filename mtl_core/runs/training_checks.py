"""Checks before training, and what is saved of a training that fails."""

from collections.abc import Sequence

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.prepare import FittedData
from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.saved_run import save_model
from mtl_core.training.gradients import find_shared_parameters
from mtl_core.training.non_finite import TrainingFailedError


def check_gradient_weighting(
    config: ExperimentConfig, network: MultiTaskNetwork, group_sizes: Sequence[int]
) -> None:
    """Check that tasks share parameters if the weighting compares their gradients.

    Args:
        config: The experiment.
        network: The network.
        group_sizes: Number of tasks in each head group.

    Raises:
        MtlError: If the weighting compares gradients and the tasks share no trainable parameter.
    """
    if config.weighting.balances_gradients and not find_shared_parameters(network, group_sizes):
        raise MtlError(
            f"weighting '{config.weighting.type}': compares the gradients of tasks at the parameters that they "
            f"share, but with the architecture '{config.architecture.type}' and the backbone "
            f"'{config.backbone.type}' they share none that is trained; choose a weighting of losses (`sum`) or "
            "another architecture (`hard-sharing`)"
        )


def save_failed_run(
    error: TrainingFailedError,
    run: RunDirectory,
    config: ExperimentConfig,
    data: FittedData,
    network: MultiTaskNetwork,
) -> MtlError:
    """Save the last finite weights of a failed training, and return the error to raise.

    Args:
        error: The failure.
        run: The run directory to save to.
        config: The experiment.
        data: The fitted data of the experiment.
        network: The network with the last finite weights, if there are any.

    Returns:
        An error whose message states what was saved.
    """
    summary = "Nothing is saved: there are no finite weights yet."
    if error.weights_description is not None:
        save_model(run, config, network, data.encoder, data.groups)
        summary = (
            f"Saved: {error.weights_description}; `mtl predict {run.path}` and `mtl evaluate {run.path}` use them."
        )
    return error.to_user_error(data.corpus.ids, summary)
