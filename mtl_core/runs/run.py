"""A complete run: load, split, train, evaluate, report."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import run_network
from mtl_core.evaluation.scores import Scorer, Scores
from mtl_core.evaluation.selection import (
    flat_figures,
    higher_is_better,
    resolve_selection,
    selection_score,
)
from mtl_core.interactions.measured import Measured
from mtl_core.model.network import MultiTaskNetwork, parameter_count
from mtl_core.model_card.write import write_card
from mtl_core.runs.calibration import Calibration, calibrate, check_calibration, follow
from mtl_core.runs.cost import AuxiliaryCost, auxiliary_costs
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.failure import check_balancing, failure
from mtl_core.runs.interactions import check_anything_shared, interaction_observer, write_interactions
from mtl_core.runs.launched import helps_another, own_copy, own_place
from mtl_core.runs.licences import licence_notes
from mtl_core.runs.prepare import Prepared, build_network, prepare, refit_all
from mtl_core.runs.results import (
    Timing,
    data_report,
    history_csv,
    json_text,
    lower_is_better,
    peak_memory_mb,
    scores_report,
)
from mtl_core.runs.saved import device_of, save_model
from mtl_core.runs.scoring import score_part
from mtl_core.runs.speed import inference_ms
from mtl_core.runs.start import StartReport, start_from
from mtl_core.seeding import isolated_torch_randomness
from mtl_core.tracking.needs import check_packages
from mtl_core.tracking.tracking import Tracking, tracking
from mtl_core.tracking.view import TrackedView
from mtl_core.training.history import EpochRecord
from mtl_core.training.interactions import InteractionObserver
from mtl_core.training.loop import TrainingResult, TrainingView, ValidationFigures, train
from mtl_core.training.not_finite import TrainingFailedError
from mtl_core.training.objective import Objective
from mtl_core.training.order import training_order
from mtl_core.training.processes import Processes


@dataclass(frozen=True)
class RunReport:
    """The result of a run.

    Attributes:
        path: The run directory.
        scores: Split name to scores.
        prepared: The fitted data.
        best_epoch: The selected epoch, counted from 1.
        best_score: The selection score of that epoch; None without a validation split.
        timing: Seconds per stage.
        costs: The cost of each auxiliary task.
        started: The report of the warm start; None without `start_from`.
        interactions: The measured task interactions; None without `interactions`.
        calibration: The calibration; None without `training.calibrate`.
    """

    path: Path
    scores: dict[str, Scores]
    prepared: Prepared
    best_epoch: int
    best_score: float | None
    timing: Timing
    costs: Sequence[AuxiliaryCost] = ()
    started: StartReport | None = None
    interactions: Measured | None = None
    calibration: Calibration | None = None


class SilentView:
    """A callback that does nothing."""

    def stage_started(self, title: str) -> None:
        """Do nothing."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Do nothing."""

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Do nothing."""

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Do nothing."""


def run_experiment(
    config: ExperimentConfig, out: Path | str, view: TrainingView | None = None, ask_test: bool = True
) -> RunReport:
    """Run an experiment, from data files to a run directory.

    Args:
        config: The experiment.
        out: The run directory; it must not exist. It is created after the data has been loaded and validated.
        view: The callback for progress.
        ask_test: Whether to evaluate the test split.

    Raises:
        MtlError: If data and config do not match, or the run directory cannot be created.
    """
    check_packages(config.trackers)
    with isolated_torch_randomness(), own_place(Path(out)) as place:
        prepared = _prepare(config, ask_test)
        if config.training.calibrate:
            check_calibration(prepared)
        resolve_selection(config.training.select, prepared.tasks, prepared.others)
        run = RunDirectory.create(place, config)
        try:
            return _tracked(config, prepared, run, view or SilentView())
        except Exception:
            run.take_back()
            raise


def resume_run(path: Path | str, view: TrainingView | None = None, ask_test: bool = True) -> RunReport:
    """Resume an interrupted run from its last checkpoint, with bit-identical results.

    Args:
        path: The run directory.
        view: The callback for progress.
        ask_test: Whether to evaluate the test split.

    Raises:
        MtlError: If there is no such run, or it is complete.
    """
    run = RunDirectory.open(Path(path))
    if run.metrics.is_file():
        raise MtlError(f"{path}: this run is complete; there is nothing to resume")
    if not helps_another():
        run.sweep()
    config = run.experiment().config
    check_packages(config.trackers)
    with isolated_torch_randomness(), own_copy(run.path) as place:
        return _tracked(config, _prepare(config, ask_test), RunDirectory(place), view or SilentView())


def _prepare(config: ExperimentConfig, ask_test: bool) -> Prepared:
    prepared = prepare(config)
    if ask_test:
        return prepared
    return replace(prepared, split=replace(prepared.split, test=prepared.split.test[:0]))


def _tracked(config: ExperimentConfig, prepared: Prepared, run: RunDirectory, view: TrainingView) -> RunReport:
    accelerator = _accelerator(config)
    with tracking(config, run, accelerator.is_main_process) as trackers:
        report = _train_and_report(config, prepared, run, accelerator, view, trackers)
        trackers.complete(run.metrics)
    return report


def _train_and_report(
    config: ExperimentConfig,
    prepared: Prepared,
    run: RunDirectory,
    accelerator: Accelerator,
    view: TrainingView,
    trackers: Tracking,
) -> RunReport:
    observer = interaction_observer(config, prepared)
    start = perf_counter()
    view.stage_started("training")
    watched = TrackedView(view, trackers, "selection")
    network, result, started = _train(
        config, prepared, config.training.epochs, run, run.checkpoint, accelerator, watched, observer
    )
    interactions_s = observer.seconds if observer is not None else 0.0
    train_s = perf_counter() - start - interactions_s
    history = [{"stage": "selection", **record.row()} for record in result.history]

    start = perf_counter()
    calibration = calibrate(network, prepared) if config.training.calibrate else None
    scores: dict[str, Scores] = {}
    told = "test" if len(prepared.split.test) else "validation"
    if len(prepared.split.validation):
        scores["validation"] = score_part(network, prepared, "validation", run if told == "validation" else None)
    evaluate_s = perf_counter() - start

    # Validation scores stay those of the first training; the refitted network is saved and tested.
    final, visited = prepared, result.examples
    if config.training.refit and len(prepared.split.validation):
        start = perf_counter()
        view.stage_started(f"refitting on all training data, {result.best_epoch} epochs")
        final = refit_all(config, prepared)
        follow(final.groups, calibration.values if calibration is not None else {})
        watched = TrackedView(view, trackers, "refit")
        network, again, started = _train(
            config, final, result.best_epoch, run, run.refit_checkpoint, accelerator, watched
        )
        history += [{"stage": "refit", **record.row()} for record in again.history]
        visited += again.examples
        train_s += perf_counter() - start

    start = perf_counter()
    save_model(run, config, network, final.encoder, final.groups)
    if len(final.split.test):
        scores["test"] = score_part(network, final, "test", run)
    write_text_atomically(run.history, history_csv(history))
    interactions = write_interactions(run, observer) if observer is not None else None
    timing = Timing(
        prepared.load_s,
        prepared.encode_s,
        train_s,
        evaluate_s + perf_counter() - start,
        visited / max(train_s, 1e-9),
        peak_memory_mb(),
        inference_ms(network, final, final.split.test if told == "test" else prepared.split.validation),
        interactions_s,
    )
    costs = auxiliary_costs(config, final, network)
    best = next((record.score for record in result.history if record.epoch == result.best_epoch), None)
    report = RunReport(
        run.path, scores, prepared, result.best_epoch, best, timing, costs, started, interactions, calibration
    )
    write_text_atomically(run.metrics, json_text(_metrics(config, report, network)))
    write_card(run.path)
    run.checkpoint.unlink(missing_ok=True)
    run.refit_checkpoint.unlink(missing_ok=True)
    return report


def _train(
    config: ExperimentConfig,
    prepared: Prepared,
    epochs: int,
    run: RunDirectory,
    checkpoint: Path,
    accelerator: Accelerator,
    view: TrainingView,
    observer: InteractionObserver | None = None,
) -> tuple[MultiTaskNetwork, TrainingResult, StartReport | None]:
    network = build_network(config, prepared.encoder, prepared.groups)
    started = None
    if config.start_from is not None:
        started = start_from(config.start_from, network, prepared.groups, prepared.encoder)
    prepared.encoder.release()
    objective = Objective(
        prepared.groups, config.weighting, config.seed, Processes.of(accelerator), config.training.consistency
    )
    check_balancing(config, network, objective.sizes)
    check_anything_shared(config, network, objective.sizes)
    select = resolve_selection(config.training.select, prepared.tasks, prepared.others)
    main = [not group.auxiliary for group in prepared.groups]

    def validate() -> ValidationFigures:
        scorer = Scorer(prepared.groups)
        rows = prepared.split.speaking(prepared.split.validation)
        for said in run_network(network, prepared.examples, rows, device_of(network), main):
            scorer.update(said)
        scores = scorer.scores()
        score = selection_score(select, scores)
        return ValidationFigures(flat_figures(scores), score, higher_is_better(select, prepared.tasks))

    order = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    judge = validate if len(prepared.split.validation) else None
    try:
        result = train(
            config,
            network,
            objective,
            prepared.examples,
            order,
            epochs,
            accelerator,
            judge,
            checkpoint,
            view,
            observer,
        )
    except TrainingFailedError as error:
        raise failure(error, run, config, prepared, network) from error
    return network, result, started


def _metrics(config: ExperimentConfig, report: RunReport, network: MultiTaskNetwork) -> dict[str, Any]:
    metrics = {
        "experiment": config.name,
        "seed": config.seed,
        "data": data_report(report.prepared),
        "model": {
            "parameters": parameter_count(network),
            "best_epoch": report.best_epoch,
            "best_score": report.best_score,
        },
        "splits": {part: scores_report(scores) for part, scores in report.scores.items()},
        "lower_is_better": lower_is_better(report.scores.values()),
        "licences": licence_notes(config),
        "timing": asdict(report.timing),
    }
    if report.calibration is not None:
        metrics["calibration"] = asdict(report.calibration)
    if report.costs:
        metrics["auxiliary"] = {cost.name: asdict(cost) for cost in report.costs}
    if report.started is not None:
        metrics["start"] = asdict(report.started)
    return metrics


def _accelerator(config: ExperimentConfig) -> Accelerator:
    """Build the accelerator for devices and precision.

    Raises:
        MtlError: If this machine does not support the configured precision.
    """
    AcceleratorState._reset_state()  # otherwise all later runs of this process keep the precision of the first
    try:
        accelerator = Accelerator(mixed_precision=config.training.precision)
    except ValueError as error:
        raise MtlError(f"training.precision: {config.training.precision} is not supported here: {error}") from error
    return accelerator
