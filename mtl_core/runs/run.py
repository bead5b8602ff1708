"""A complete run: load, split, train, evaluate, report."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.licences import collect_licence_notes
from mtl_core.data.prepare import FittedData, build_network, prepare, prepare_refit
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration import Calibration, apply_calibration, calibrate, check_calibration
from mtl_core.evaluation.inference import run_network
from mtl_core.evaluation.scores import Scorer, Scores
from mtl_core.evaluation.selection import (
    compute_selection_score,
    flatten_scores,
    is_higher_better,
    resolve_selection,
)
from mtl_core.evaluation.task_interactions import TaskInteractions
from mtl_core.nn.network import MultiTaskNetwork, count_parameters
from mtl_core.plugins.required_packages import check_packages
from mtl_core.reporting.model_card.write_card import write_card
from mtl_core.runs.auxiliary_cost import AuxiliaryCost, measure_auxiliary_costs
from mtl_core.runs.distributed import is_worker_rank, rank_output_dir, rank_resume_dir
from mtl_core.runs.inference_time import measure_inference_ms
from mtl_core.runs.interaction_measurement import (
    build_interaction_observer,
    check_shared_parameters,
    write_interactions,
)
from mtl_core.runs.result_files import (
    Timing,
    build_data_report,
    build_scores_report,
    dump_json,
    find_lower_is_better,
    format_history_csv,
    measure_peak_memory_mb,
)
from mtl_core.runs.saved_run import get_device, save_model
from mtl_core.runs.split_evaluation import evaluate_split
from mtl_core.runs.training_checks import check_gradient_weighting, save_failed_run
from mtl_core.runs.warm_start import WarmStartReport, initialize_from_run
from mtl_core.seeding import isolate_torch_rng
from mtl_core.tracking.run_trackers import RunTrackers, track_run
from mtl_core.tracking.tracking_callback import TrackingCallback
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.history import EpochRecord
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.loop import Callback, TrainingResult, ValidationMetrics, train
from mtl_core.training.non_finite import TrainingFailedError
from mtl_core.training.objective import Objective


@dataclass(frozen=True)
class RunReport:
    """The result of a run.

    Attributes:
        path: The run directory.
        scores: Split name to scores.
        data: The fitted data.
        best_epoch: The selected epoch, counted from 1.
        best_score: The selection score of that epoch; None without a validation split.
        timing: Seconds per stage.
        costs: The cost of each auxiliary task.
        warm_start: The report of the warm start; None without `init_from`.
        interactions: The measured task interactions; None without `interactions`.
        calibration: The calibration; None without `training.calibrate`.
    """

    path: Path
    scores: dict[str, Scores]
    data: FittedData
    best_epoch: int
    best_score: float | None
    timing: Timing
    costs: Sequence[AuxiliaryCost] = ()
    warm_start: WarmStartReport | None = None
    interactions: TaskInteractions | None = None
    calibration: Calibration | None = None


class NullCallback:
    """A callback that does nothing."""

    def on_stage_start(self, title: str) -> None:
        """Do nothing."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        """Do nothing."""

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Do nothing."""

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Do nothing."""


def run_experiment(
    config: ExperimentConfig, out: Path | str, callback: Callback | None = None, evaluate_test: bool = True
) -> RunReport:
    """Run an experiment, from data files to a run directory.

    Args:
        config: The experiment.
        out: The run directory; it must not exist. It is created after the data has been loaded and validated.
        callback: The callback for progress.
        evaluate_test: Whether to evaluate the test split.

    Raises:
        MtlError: If data and config do not match, or the run directory cannot be created.
    """
    check_packages(config.trackers)
    with isolate_torch_rng(), rank_output_dir(Path(out)) as run_dir:
        data = _prepare_data(config, evaluate_test)
        if config.training.calibrate:
            check_calibration(data)
        resolve_selection(config.training.select, data.tasks, data.inactive_tasks)
        run = RunDirectory.create(run_dir, config)
        try:
            return _run_with_trackers(config, data, run, callback or NullCallback())
        except Exception:
            run.remove_if_empty()
            raise


def resume_run(path: Path | str, callback: Callback | None = None, evaluate_test: bool = True) -> RunReport:
    """Resume an interrupted run from its last checkpoint, with bit-identical results.

    Args:
        path: The run directory.
        callback: The callback for progress.
        evaluate_test: Whether to evaluate the test split.

    Raises:
        MtlError: If there is no such run, or it is complete.
    """
    run = RunDirectory.open(Path(path))
    if run.metrics.is_file():
        raise MtlError(f"{path}: this run is complete; there is nothing to resume")
    if not is_worker_rank():
        run.remove_temporary_files()
    config = run.load_experiment().config
    check_packages(config.trackers)
    with isolate_torch_rng(), rank_resume_dir(run.path) as run_dir:
        return _run_with_trackers(
            config, _prepare_data(config, evaluate_test), RunDirectory(run_dir), callback or NullCallback()
        )


def _prepare_data(config: ExperimentConfig, evaluate_test: bool) -> FittedData:
    data = prepare(config)
    if evaluate_test:
        return data
    return replace(data, split=replace(data.split, test=data.split.test[:0]))


def _run_with_trackers(
    config: ExperimentConfig, data: FittedData, run: RunDirectory, callback: Callback
) -> RunReport:
    accelerator = _create_accelerator(config)
    with track_run(config, run, accelerator.is_main_process) as trackers:
        report = _train_and_report(config, data, run, accelerator, callback, trackers)
        trackers.log_final_metrics(run.metrics)
    return report


def _train_and_report(
    config: ExperimentConfig,
    data: FittedData,
    run: RunDirectory,
    accelerator: Accelerator,
    callback: Callback,
    trackers: RunTrackers,
) -> RunReport:
    observer = build_interaction_observer(config, data)
    start_time = perf_counter()
    callback.on_stage_start("training")
    tracked_callback = TrackingCallback(callback, trackers, "selection")
    network, result, warm_start = _train(
        config, data, config.training.epochs, run, run.checkpoint, accelerator, tracked_callback, observer
    )
    interactions_s = observer.seconds if observer is not None else 0.0
    train_s = perf_counter() - start_time - interactions_s
    history = [{"stage": "selection", **record.to_row()} for record in result.history]

    start_time = perf_counter()
    calibration = calibrate(network, data) if config.training.calibrate else None
    scores: dict[str, Scores] = {}
    predicted_split = "test" if len(data.split.test) else "validation"
    if len(data.split.validation):
        scores["validation"] = evaluate_split(
            network, data, "validation", run if predicted_split == "validation" else None
        )
    evaluate_s = perf_counter() - start_time

    # Validation scores stay those of the first training; the refitted network is saved and tested.
    final_data, n_visited = data, result.n_examples
    if config.training.refit and len(data.split.validation):
        start_time = perf_counter()
        callback.on_stage_start(f"refitting on all training data, {result.best_epoch} epochs")
        final_data = prepare_refit(config, data)
        apply_calibration(final_data.groups, calibration.values if calibration is not None else {})
        tracked_callback = TrackingCallback(callback, trackers, "refit")
        network, refit_result, warm_start = _train(
            config, final_data, result.best_epoch, run, run.refit_checkpoint, accelerator, tracked_callback
        )
        history += [{"stage": "refit", **record.to_row()} for record in refit_result.history]
        n_visited += refit_result.n_examples
        train_s += perf_counter() - start_time

    start_time = perf_counter()
    save_model(run, config, network, final_data.encoder, final_data.groups)
    if len(final_data.split.test):
        scores["test"] = evaluate_split(network, final_data, "test", run)
    write_text_atomically(run.history, format_history_csv(history))
    interactions = write_interactions(run, observer) if observer is not None else None
    timing = Timing(
        data.load_s,
        data.encode_s,
        train_s,
        evaluate_s + perf_counter() - start_time,
        n_visited / max(train_s, 1e-9),
        measure_peak_memory_mb(),
        measure_inference_ms(
            network, final_data, final_data.split.test if predicted_split == "test" else data.split.validation
        ),
        interactions_s,
    )
    costs = measure_auxiliary_costs(config, final_data, network)
    best_score = next((record.score for record in result.history if record.epoch == result.best_epoch), None)
    report = RunReport(
        run.path, scores, data, result.best_epoch, best_score, timing, costs, warm_start, interactions, calibration
    )
    write_text_atomically(run.metrics, dump_json(_build_metrics(config, report, network)))
    write_card(run.path)
    run.checkpoint.unlink(missing_ok=True)
    run.refit_checkpoint.unlink(missing_ok=True)
    return report


def _train(
    config: ExperimentConfig,
    data: FittedData,
    epochs: int,
    run: RunDirectory,
    checkpoint: Path,
    accelerator: Accelerator,
    callback: Callback,
    observer: InteractionObserver | None = None,
) -> tuple[MultiTaskNetwork, TrainingResult, WarmStartReport | None]:
    network = build_network(config, data.encoder, data.groups)
    warm_start = None
    if config.init_from is not None:
        warm_start = initialize_from_run(config.init_from, network, data.groups, data.encoder)
    data.encoder.unload()
    objective = Objective(
        data.groups,
        config.weighting,
        config.seed,
        DistributedContext.from_accelerator(accelerator),
        config.training.r_drop,
    )
    check_gradient_weighting(config, network, objective.group_sizes)
    check_shared_parameters(config, network, objective.group_sizes)
    select = resolve_selection(config.training.select, data.tasks, data.inactive_tasks)
    active_groups = [not group.is_auxiliary for group in data.groups]

    def compute_validation() -> ValidationMetrics:
        scorer = Scorer(data.groups)
        rows = data.split.select_labelled(data.split.validation)
        for batch_outputs in run_network(network, data.examples, rows, get_device(network), active_groups):
            scorer.update(batch_outputs)
        scores = scorer.compute()
        score = compute_selection_score(select, scores)
        return ValidationMetrics(flatten_scores(scores), score, is_higher_better(select, data.tasks))

    sampler = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths)
    judge = compute_validation if len(data.split.validation) else None
    try:
        result = train(
            config,
            network,
            objective,
            data.examples,
            sampler,
            epochs,
            accelerator,
            judge,
            checkpoint,
            callback,
            observer,
        )
    except TrainingFailedError as error:
        raise save_failed_run(error, run, config, data, network) from error
    return network, result, warm_start


def _build_metrics(config: ExperimentConfig, report: RunReport, network: MultiTaskNetwork) -> dict[str, Any]:
    metrics = {
        "experiment": config.name,
        "seed": config.seed,
        "data": build_data_report(report.data),
        "model": {
            "parameters": count_parameters(network),
            "best_epoch": report.best_epoch,
            "best_score": report.best_score,
        },
        "splits": {split_name: build_scores_report(scores) for split_name, scores in report.scores.items()},
        "lower_is_better": find_lower_is_better(report.scores.values()),
        "licences": collect_licence_notes(config),
        "timing": asdict(report.timing),
    }
    if report.calibration is not None:
        metrics["calibration"] = asdict(report.calibration)
    if report.costs:
        metrics["auxiliary"] = {cost.name: asdict(cost) for cost in report.costs}
    if report.warm_start is not None:
        metrics["start"] = asdict(report.warm_start)
    return metrics


def _create_accelerator(config: ExperimentConfig) -> Accelerator:
    """Build the accelerator for devices and precision.

    Raises:
        MtlError: If this machine does not support the configured precision.
    """
    AcceleratorState._reset_state()  # otherwise all later runs of this process keep the precision of the first
    precision = config.training.precision
    try:
        accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision)
    except ValueError as error:
        raise MtlError(f"training.precision: {precision} is not supported here: {error}") from error
    return accelerator
