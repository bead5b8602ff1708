"""One training of a run: the training that selects the epoch, or the refit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accelerate import Accelerator

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.fitted_task import FittedTask
from mtl_core.errors import MtlError
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scorer import compute_scores
from mtl_core.evaluation.scores import Scores
from mtl_core.evaluation.selection import (
    compute_selection_score,
    flatten_scores,
    is_higher_better,
    resolve_selection,
)
from mtl_core.evaluation.undefined_metrics import find_defined_metrics
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.runs.distributed import raise_on_every_rank
from mtl_core.runs.memory import check_training_memory, describe_memory_errors
from mtl_core.runs.saved_run import save_model
from mtl_core.runs.warm_start import WarmStartReport, initialize_from_run
from mtl_core.tracking.run_trackers import RunTrackers
from mtl_core.tracking.tracking_callback import TrackingCallback
from mtl_core.tracking.values import Stage
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.callback import Callback
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.gradients import find_shared_parameters
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.loop import TrainingResult, ValidationMetrics, train
from mtl_core.training.non_finite import TrainingFailedError
from mtl_core.training.objective import Objective


@dataclass(frozen=True)
class RunContext:
    """What all stages of a run use.

    Attributes:
        config: The experiment.
        run: The run directory.
        accelerator: Devices and precision.
        callback: The callback for progress.
        trackers: The trackers that log the epochs.
    """

    config: ExperimentConfig
    run: RunDirectory
    accelerator: Accelerator
    callback: Callback
    trackers: RunTrackers


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network and its data.

    Attributes:
        network: The network with the weights of the best epoch.
        data: The data on which it was trained.
        result: The history and the best epoch.
        warm_start: The report of the warm start; None without `init_from`.
    """

    network: MultiTaskNetwork
    data: FittedData
    result: TrainingResult
    warm_start: WarmStartReport | None


def train_network(
    context: RunContext,
    data: FittedData,
    stage: Stage,
    epochs: int,
    observer: InteractionObserver | None = None,
) -> TrainedNetwork:
    """Build a network and train it; an interrupted training resumes from the checkpoint of its stage.

    Args:
        context: The run.
        data: The fitted data.
        stage: The stage.
        epochs: Maximum number of epochs.
        observer: Measures task interactions.

    Raises:
        MtlError: If the network does not fit into the memory, tasks share no parameters although their gradients are
            compared, or training fails.
    """
    config = context.config
    with raise_on_every_rank():
        network = build_network(config, data.encoder, data.groups)
        check_training_memory(config, network, context.accelerator.device)
        warm_start = None
        if config.init_from is not None:
            warm_start = initialize_from_run(config.init_from, network, data.groups, data.encoder)
    result = fit_network(context, network, data, data, stage, epochs, observer)
    return TrainedNetwork(network, data, result, warm_start)


def fit_network(
    context: RunContext,
    network: MultiTaskNetwork,
    data: FittedData,
    selection_data: FittedData,
    stage: Stage,
    epochs: int | None = None,
    observer: InteractionObserver | None = None,
) -> TrainingResult:
    """Train a network that is initialized; arguments as in `train_network`.

    Args:
        context: The run.
        network: The network; it has the weights of the best epoch afterwards.
        data: The data of all tasks of the network.
        selection_data: The data of the tasks that select the epoch.
        stage: The stage.
        epochs: Maximum number of epochs; None for those of the experiment.
        observer: Measures task interactions.

    Raises:
        MtlError: If tasks share no parameters although their gradients are compared, or if training fails.
    """
    config = context.config
    distributed = DistributedContext.from_accelerator(context.accelerator)
    with raise_on_every_rank():
        data.encoder.unload()
        objective = Objective(data.groups, config.weighting, config.seed, distributed, config.training.r_drop)
        check_shared_parameters(config, network, objective.group_sizes)
    try:
        with describe_memory_errors(
            "the training", "reduce `training.batch_size` or the sizes of encoder and backbone"
        ):
            return train(
                config,
                network,
                objective,
                data.examples,
                build_batch_sampler(config, data.corpus, data.split, data.examples.lengths),
                epochs or config.training.epochs,
                context.accelerator,
                _build_validation(config, network, data, selection_data) if len(data.split.validation) else None,
                context.run.checkpoint if stage == "selection" else context.run.refit_checkpoint,
                TrackingCallback(context.callback, context.trackers, stage),
                observer,
            )
    except TrainingFailedError as error:
        with raise_on_every_rank():  # no rank ends before rank 0 has saved the weights
            raise _save_failed_run(error, context.run, config, data, network) from error


def _build_validation(
    config: ExperimentConfig, network: MultiTaskNetwork, data: FittedData, selection_data: FittedData
) -> Callable[[], ValidationMetrics]:
    """Return a function that computes the validation metrics of the main tasks, and the score of those that select."""
    select = resolve_selection(config.training.select, selection_data.tasks, selection_data.inactive_tasks)
    active_groups = [not group.is_auxiliary for group in data.groups]
    rows = data.split.select_labelled(data.split.validation)
    has_mean = select.aggregation in {"mean", "relative_error_reduction"}
    defined_metrics = find_defined_metrics(select, selection_data) if has_mean else None

    def compute_validation() -> ValidationMetrics:
        scores = compute_scores(network, data.examples, rows, data.groups, active_groups)
        selection_scores = scores if selection_data is data else _select_scores(scores, selection_data.tasks)
        score = compute_selection_score(select, selection_scores, defined_metrics)
        return ValidationMetrics(flatten_scores(scores, score), score, is_higher_better(select, selection_data.tasks))

    return compute_validation


def _select_scores(scores: Scores, tasks: Sequence[FittedTask]) -> Scores:
    """Return the scores of some main tasks, pooled over these tasks."""
    selected = {task.name: scores.tasks[task.name] for task in tasks}
    return Scores(selected, pool_scores(list(selected.values())))


def check_shared_parameters(config: ExperimentConfig, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
    """Check that tasks share trainable parameters if the experiment compares their gradients."""
    if find_shared_parameters(network, group_sizes):
        return
    problem = (
        "compares the gradients of tasks at the parameters that they share, but with the architecture "
        f"'{config.architecture.type}' and the backbone '{config.backbone.type}' they share none that is trained"
    )
    if config.weighting.balances_gradients:
        raise MtlError(
            f"weighting '{config.weighting.type}': {problem}; choose a weighting of losses (`sum`) or another "
            "architecture (`hard-sharing`)"
        )
    if config.interactions is not None:
        raise MtlError(
            f"interactions: {problem}; remove `interactions`, or choose another architecture (`hard-sharing`)"
        )


def _save_failed_run(
    error: TrainingFailedError,
    run: RunDirectory,
    config: ExperimentConfig,
    data: FittedData,
    network: MultiTaskNetwork,
) -> MtlError:
    """Save the last finite weights of a failed training, and return the error whose message reports it."""
    summary = "Nothing is saved: there are no finite weights yet."
    if error.weights_description is not None:
        save_model(run, config, network, data.encoder, data.groups)
        summary = (
            f"Saved: {error.weights_description}; `mtl predict {run.path}` and `mtl evaluate {run.path}` use them."
        )
    return error.to_user_error(data.corpus.ids, summary)
