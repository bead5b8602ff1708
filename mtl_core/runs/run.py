"""The main job: load, split, train, evaluate, report. A recipe to be read from top to bottom."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.corpus import Part
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import GroupOutputs, run_network
from mtl_core.evaluation.scores import Scores, score
from mtl_core.evaluation.selection import check_selection, flat_figures, selection_score
from mtl_core.model.network import MultiTaskNetwork, parameter_count
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.prepare import Prepared, build_network, prepare, refit_all
from mtl_core.runs.results import (
    Timing,
    data_report,
    history_csv,
    json_lines,
    json_text,
    prediction_records,
    rows_of,
    scores_report,
)
from mtl_core.runs.saved import device_of, save_model
from mtl_core.seeding import isolated_torch_randomness
from mtl_core.training.batches import Rows
from mtl_core.training.history import EpochRecord
from mtl_core.training.loop import TrainingResult, TrainingView, ValidationFigures, train
from mtl_core.training.objective import Objective


@dataclass(frozen=True)
class RunReport:
    """What a run brought.

    Attributes:
        path: The run directory.
        scores: Part of the data to what was measured on it.
        prepared: The data.
        best_epoch: The epoch that selection chose, counted from 1.
        timing: Where the time went.
    """

    path: Path
    scores: dict[str, Scores]
    prepared: Prepared
    best_epoch: int
    timing: Timing


class SilentView:
    """Watches without a word."""

    def stage_started(self, title: str) -> None:
        """Nothing."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Nothing."""

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Nothing."""

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Nothing."""


def run_experiment(config: ExperimentConfig, out: Path | str, view: TrainingView | None = None) -> RunReport:
    """Do the whole job, from data files to a run directory.

    Args:
        config: The experiment.
        out: The run directory; it must not exist. It is made only when the data has been read without fault.
        view: Is told what happens.

    Raises:
        MtlError: If data, config or place do not fit.
    """
    with isolated_torch_randomness():
        prepared = prepare(config)
        check_selection(config.training.select, prepared.tasks)
        run = RunDirectory.create(Path(out), config)
        try:
            return _train_and_report(config, prepared, run, view or SilentView())
        except Exception:
            run.take_back()
            raise


def resume_run(path: Path | str, view: TrainingView | None = None) -> RunReport:
    """Go on with a run that was cut off, from its last checkpoint, to bit-identical results.

    Raises:
        MtlError: If there is no such run, or it is complete.
    """
    run = RunDirectory.open(Path(path))
    if run.metrics.is_file():
        raise MtlError(f"{path}: this run is complete; there is nothing to resume")
    run.sweep()
    config = run.experiment().config
    with isolated_torch_randomness():
        return _train_and_report(config, prepare(config), run, view or SilentView())


def _train_and_report(
    config: ExperimentConfig, prepared: Prepared, run: RunDirectory, view: TrainingView
) -> RunReport:
    accelerator = _accelerator(config)
    start = perf_counter()
    view.stage_started("training")
    network, result = _train(config, prepared, config.training.epochs, run.checkpoint, accelerator, view)
    train_s = perf_counter() - start
    history = [{"stage": "selection", **record.row()} for record in result.history]

    start = perf_counter()
    scores: dict[str, Scores] = {}
    validated = None
    if len(rows := prepared.split.validation):
        validated = run_network(network, prepared.examples, rows, device_of(network))
        scores["validation"] = score(prepared.groups, [o.outputs for o in validated], _targets(prepared, rows))
    evaluate_s = perf_counter() - start

    # What validation data said stands; what is saved and tested is the network that saw everything.
    final, visited = prepared, result.examples
    if config.training.refit and len(prepared.split.validation):
        start = perf_counter()
        view.stage_started(f"training again on all training data, {result.best_epoch} epochs")
        final = refit_all(config, prepared)
        network, again = _train(config, final, result.best_epoch, run.refit_checkpoint, accelerator, view)
        history += [{"stage": "refit", **record.row()} for record in again.history]
        visited += again.examples
        train_s += perf_counter() - start

    start = perf_counter()
    save_model(run, network, final.encoder, final.tasks)
    if len(final.split.test):
        outputs = run_network(network, final.examples, final.split.test, device_of(network))
        scores["test"] = score(final.groups, [o.outputs for o in outputs], _targets(final, final.split.test))
        _write_predictions(run, final, "test", outputs)
    elif validated is not None:
        _write_predictions(run, prepared, "validation", validated)
    write_text_atomically(run.history, history_csv(history))
    timing = Timing(
        prepared.load_s,
        prepared.encode_s,
        train_s,
        evaluate_s + perf_counter() - start,
        visited / max(train_s, 1e-9),
    )
    report = RunReport(run.path, scores, prepared, result.best_epoch, timing)
    write_text_atomically(run.metrics, json_text(_metrics(config, report, network)))
    run.checkpoint.unlink(missing_ok=True)
    run.refit_checkpoint.unlink(missing_ok=True)
    return report


def _train(
    config: ExperimentConfig,
    prepared: Prepared,
    epochs: int,
    checkpoint: Path,
    accelerator: Accelerator,
    view: TrainingView,
) -> tuple[MultiTaskNetwork, TrainingResult]:
    network = build_network(config, prepared.encoder, prepared.groups)
    prepared.encoder.release()
    objective = Objective(prepared.groups, config.weighting)
    higher = check_selection(config.training.select, prepared.tasks)

    def validate() -> ValidationFigures:
        rows = prepared.split.validation
        outputs = run_network(network, prepared.examples, rows, device_of(network))
        scores = score(prepared.groups, [o.outputs for o in outputs], _targets(prepared, rows))
        return ValidationFigures(flat_figures(scores), selection_score(config.training.select, scores), higher)

    result = train(
        config,
        network,
        objective,
        prepared.examples,
        prepared.split.train,
        epochs,
        accelerator,
        validate if len(prepared.split.validation) else None,
        checkpoint,
        view,
    )
    return network, result


def _write_predictions(run: RunDirectory, prepared: Prepared, part: Part, outputs: Sequence[GroupOutputs]) -> None:
    rows = rows_of(prepared, part).tolist()
    records = prediction_records(prepared.corpus, rows, prepared.groups, outputs)
    write_text_atomically(run.predictions, json_lines({"split": part, **record} for record in records))


def _targets(prepared: Prepared, rows: Rows) -> list[torch.Tensor]:
    return [table[torch.from_numpy(rows)] for table in prepared.examples.targets]


def _metrics(config: ExperimentConfig, report: RunReport, network: MultiTaskNetwork) -> dict[str, Any]:
    return {
        "experiment": config.name,
        "seed": config.seed,
        "data": data_report(report.prepared),
        "model": {"parameters": parameter_count(network), "best_epoch": report.best_epoch},
        "splits": {part: scores_report(scores) for part, scores in report.scores.items()},
        "timing": asdict(report.timing),
    }


def _accelerator(config: ExperimentConfig) -> Accelerator:
    """Make the engine for devices and precision.

    Raises:
        MtlError: If this machine cannot compute in the asked precision, or several processes were started.
    """
    AcceleratorState._reset_state()  # it would hold all later runs of this process to the first one's precision
    try:
        accelerator = Accelerator(mixed_precision=config.training.precision)
    except ValueError as error:
        raise MtlError(f"training.precision: {config.training.precision} cannot be used here: {error}") from error
    if accelerator.num_processes > 1:
        raise MtlError(
            f"{accelerator.num_processes} processes were started; a run trains in one process (its losses are "
            "normalised by the labels of the whole batch, which processes do not share yet)"
        )
    return accelerator
