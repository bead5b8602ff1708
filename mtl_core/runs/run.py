"""A complete run: load, split, train, evaluate, report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator

from mtl_core.artifacts.history import History
from mtl_core.artifacts.json_files import dump_json
from mtl_core.artifacts.metrics import Timing
from mtl_core.artifacts.network_files import open_network_run
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.input_files import hash_input_files
from mtl_core.data.prepare import prepare_refit
from mtl_core.data.sources import resolve_inputs
from mtl_core.data.stage_timer import StageTimer
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration import Calibration, apply_calibration, calibrate, check_calibration
from mtl_core.evaluation.scores import Scores
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.evaluation.undefined_metrics import describe_undefined_metrics
from mtl_core.plugins.optional_packages import check_packages
from mtl_core.reporting.model_card.write_card import write_card
from mtl_core.runs.auxiliary_cost import measure_auxiliary_costs
from mtl_core.runs.distributed import is_worker_rank, raise_on_every_rank, rank_output_dir, rank_resume_dir
from mtl_core.runs.extension_stage import calibrate_extension, train_extension
from mtl_core.runs.interaction_measurement import build_interaction_observer, write_interactions
from mtl_core.runs.measurements import measure_inference_ms, measure_peak_memory_mb
from mtl_core.runs.prediction_format import check_parquet, describe_fallback, resolve_prediction_format
from mtl_core.runs.prepare_run import prepare_run, select_trained_tasks
from mtl_core.runs.provenance import check_input_files, collect_provenance, record_resumption
from mtl_core.runs.registered_parts import check_registered
from mtl_core.runs.run_report import RunReport, build_metrics
from mtl_core.runs.saved_run import save_model
from mtl_core.runs.split_evaluation import evaluate_split
from mtl_core.runs.training_stage import RunContext, TrainedNetwork, train_network
from mtl_core.seeding import isolate_torch_rng
from mtl_core.tracking.run_trackers import track_run
from mtl_core.training.accelerator import create_accelerator
from mtl_core.training.callback import Callback, NullCallback
from mtl_core.training.interaction_observer import InteractionObserver


def run_experiment(
    config: ExperimentConfig,
    out: Path | str,
    callback: Callback | None = None,
    evaluate_test: bool = True,
    experiment_path: Path | None = None,
) -> RunReport:
    """Run an experiment, from data files to a run directory.

    Args:
        config: The experiment.
        out: The run directory; it must not exist. It is created after the data has been loaded and validated.
        callback: The callback for progress.
        evaluate_test: Whether to evaluate the test split.
        experiment_path: The experiment file, whose git revision is recorded; by default that of the working directory.

    Raises:
        MtlError: If data and config do not match, or the run directory cannot be created.
    """
    with raise_on_every_rank():
        check_packages(config.trackers)
        check_parquet(config)
        check_registered(config)
    with isolate_torch_rng(), rank_output_dir(Path(out)) as run_dir:
        with raise_on_every_rank():
            config = resolve_inputs(config)
            data = _prepare_data(config, evaluate_test)
            if config.training.calibrate:
                check_calibration(data)
            accelerator = create_accelerator(config)
            provenance = collect_provenance(config, hash_input_files(config), accelerator, experiment_path)
        with raise_on_every_rank():
            run = RunDirectory.create(run_dir, config, provenance)
        try:
            return _run_with_trackers(config, data, run, accelerator, callback or NullCallback())
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
        MtlError: If there is no such run, it is complete, or an input file has changed since it started.
    """
    with raise_on_every_rank():
        run = open_network_run(Path(path))
        if run.metrics.is_file():
            raise MtlError(f"{path}: this run is complete; there is nothing to resume")
        config = run.load_experiment().config
        if config.extends is not None and config.extends.mode == "joint":
            raise MtlError(
                f"{path}: joint training with added tasks cannot be resumed, since it is accepted only after a test of "
                "the other tasks; remove this directory, and repeat `mtl extend`"
            )
        check_packages(config.trackers)
    if not is_worker_rank():
        run.remove_temporary_files()
    with isolate_torch_rng(), rank_resume_dir(run.path) as run_dir:
        run = RunDirectory(run_dir)
        with raise_on_every_rank():  # also: no rank trains before all have copied the checkpoint
            check_input_files(run, config)
            data = _prepare_data(config, evaluate_test)
            accelerator = create_accelerator(config)
        record_resumption(run, config, accelerator)
        return _run_with_trackers(config, data, run, accelerator, callback or NullCallback())


def _prepare_data(config: ExperimentConfig, evaluate_test: bool) -> FittedData:
    data = prepare_run(config)
    selection_data = select_trained_tasks(config, data)
    select = resolve_selection(config.training.select, selection_data.tasks, selection_data.inactive_tasks)
    resolve_prediction_format(config, data.groups)  # an error before the training
    notes = [*describe_undefined_metrics(select, selection_data), *describe_fallback(config, data.groups)]
    data = replace(data, warnings=[*data.warnings, *notes])
    if evaluate_test:
        return data
    return replace(data, split=replace(data.split, test=data.split.test[:0]))


def _run_with_trackers(
    config: ExperimentConfig, data: FittedData, run: RunDirectory, accelerator: Accelerator, callback: Callback
) -> RunReport:
    with track_run(config, run, accelerator.is_main_process) as trackers:
        report = _run_stages(RunContext(config, run, accelerator, callback, trackers), data)
        trackers.log_final_metrics(run.metrics)
    return report


def _run_stages(context: RunContext, data: FittedData) -> RunReport:
    """Train, calibrate, evaluate, refit, test and measure; then write the results."""
    config, run, timer = context.config, context.run, StageTimer()
    observer = build_interaction_observer(config, data)
    with timer.measure("train"):
        context.callback.on_stage_start("training")
        selection = _train(context, data, observer)
    with timer.measure("evaluate"):
        # Before calibration, whose values are fitted to the labels of the same examples.
        scores = _validate(context, selection)
        calibration = _calibrate(context, selection)
    with timer.measure("train"):
        refit = _refit_network(context, selection, calibration)
    # Validation scores stay those of the first training; the refitted network is saved and tested.
    final = refit or selection
    with timer.measure("evaluate"):
        scores |= _save_and_test(context, final)
        history = History(selection.result.history, refit.result.history if refit is not None else ())
        write_text_atomically(run.history, history.format_csv())
        interactions = write_interactions(run, observer) if observer is not None else None
    interactions_s = observer.seconds if observer is not None else 0.0
    n_visited = selection.result.n_examples + (refit.result.n_examples if refit is not None else 0)
    timing_rows = data.split.test if len(data.split.test) else data.split.validation
    report = RunReport(
        path=run.path,
        scores=scores,
        data=data,
        best_epoch=selection.result.best_epoch,
        best_score=selection.result.best_score,
        timing=_measure_timing(final, timing_rows, timer.seconds, interactions_s, n_visited),
        costs=measure_auxiliary_costs(config, final.data, final.network) if config.extends is None else [],
        warm_start=final.warm_start,
        interactions=interactions,
        calibration=calibration,
        n_processes=context.accelerator.num_processes,
    )
    _write_results(context, final, report)
    return report


def _train(context: RunContext, data: FittedData, observer: InteractionObserver | None) -> TrainedNetwork:
    """Train a new network, or extend that of another run."""
    config = context.config
    if config.extends is not None:
        return train_extension(context, config.extends, data, observer)
    return train_network(context, data, "selection", config.training.epochs, observer)


def _calibrate(context: RunContext, trained: TrainedNetwork) -> Calibration | None:
    """Calibrate the network on the validation split, if the experiment says so."""
    if context.config.extends is not None:
        return calibrate_extension(context, context.config.extends, trained)
    return calibrate(trained.network, trained.data) if context.config.training.calibrate else None


def _validate(context: RunContext, trained: TrainedNetwork) -> dict[str, Scores]:
    """Evaluate the validation split; write its predictions only if there is no test split."""
    split = trained.data.split
    if not len(split.validation):
        return {}
    run = None if len(split.test) else context.run
    prediction_format = resolve_prediction_format(context.config, trained.data.groups)
    return {"validation": evaluate_split(trained.network, trained.data, "validation", run, prediction_format)}


def _refit_network(
    context: RunContext, selection: TrainedNetwork, calibration: Calibration | None
) -> TrainedNetwork | None:
    """Train again on training and validation examples; None without `training.refit` or a validation split."""
    if not context.config.training.refit or not len(selection.data.split.validation):
        return None
    epochs = selection.result.best_epoch
    context.callback.on_stage_start(f"refitting on all training data, {epochs} epochs")
    data = prepare_refit(context.config, selection.data)
    if calibration is not None:
        apply_calibration(data.groups, calibration.values)
    return train_network(context, data, "refit", epochs)


def _save_and_test(context: RunContext, final: TrainedNetwork) -> dict[str, Scores]:
    """Save the final network and evaluate the test split, if there is one."""
    save_model(context.run, context.config, final.network, final.data.encoder, final.data.groups)
    if not len(final.data.split.test):
        return {}
    prediction_format = resolve_prediction_format(context.config, final.data.groups)
    return {"test": evaluate_split(final.network, final.data, "test", context.run, prediction_format)}


def _measure_timing(
    final: TrainedNetwork,
    rows: RowIndices,
    seconds: Mapping[str, float],
    interactions_s: float,
    n_visited: int,
) -> Timing:
    """Build the entry `timing` of `metrics.json`, with the inference time for some rows."""
    train_s = seconds["train"] - interactions_s
    return Timing(
        load_s=final.data.load_s,
        encode_s=final.data.encode_s,
        train_s=train_s,
        evaluate_s=seconds["evaluate"],
        train_examples_per_s=n_visited / max(train_s, 1e-9),
        peak_memory_mb=measure_peak_memory_mb(),
        inference_ms=measure_inference_ms(final.network, final.data, rows),
        interactions_s=interactions_s,
    )


def _write_results(context: RunContext, final: TrainedNetwork, report: RunReport) -> None:
    """Write `metrics.json`, which marks the run as complete, and the model card; then remove the checkpoints."""
    run = context.run
    write_text_atomically(run.metrics, dump_json(build_metrics(context.config, report, final.network)))
    write_card(run.path)
    run.checkpoint.unlink(missing_ok=True)
    run.refit_checkpoint.unlink(missing_ok=True)
