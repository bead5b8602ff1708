"""Run a sweep: sample trials, train them, and write the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.errors import MtlError
from mtl_core.evaluation.selection import is_higher_better, resolve_selection
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.experiments.process_pool import run_jobs
from mtl_core.experiments.sweep.directory import SweepDirectory
from mtl_core.experiments.sweep.search_space import SearchSpace
from mtl_core.experiments.sweep.study import Study
from mtl_core.experiments.sweep.train_trial import TrialJob, train_trial
from mtl_core.experiments.sweep.trial_record import BASELINE_TRIAL, SampledTrial, TrialOutcome, TrialRecord
from mtl_core.experiments.sweep.trials_table import format_trials_csv
from mtl_core.experiments.trial_provenance import check_trial_provenance
from mtl_core.runs.prepare_run import prepare_run, select_trained_tasks
from mtl_core.seeding import isolate_torch_rng


class SweepCallback(Protocol):
    """Callback of a sweep, such as a progress display."""

    def on_sweep_start(self, n_trials: int, n_finished: int, metric: str) -> None:
        """Called at the start, with the total number of trials, the number of finished ones, and the metric."""

    def on_trial_start(self, trial: SampledTrial) -> None:
        """Called when a trial starts or resumes."""

    def on_epoch_end(self, number: int, epoch: int, score: float) -> None:
        """Called after each epoch of a trial."""

    def on_trial_end(self, record: TrialRecord, best: TrialRecord | None) -> None:
        """Called when a trial ends; `best` is the best trial so far."""


@dataclass(frozen=True)
class SweepReport:
    """The result of a sweep.

    Attributes:
        metric: The name of the metric that compares trials.
        higher_is_better: Whether higher values are better.
        disclaimer: The disclaimer of the data; usually empty.
        records: The trials, sorted by number.
        best: The best trial; None if none is complete.
        importance: Searched key to its importance; empty with too few trials.
    """

    metric: str
    higher_is_better: bool
    disclaimer: str
    records: Sequence[TrialRecord]
    best: TrialRecord | None
    importance: Mapping[str, float]


@dataclass(frozen=True)
class _Objective:
    """The validation metric that compares trials."""

    name: str
    higher_is_better: bool
    disclaimer: str


def run_sweep(
    search_space: SearchSpace,
    directory: SweepDirectory,
    n_trials: int,
    n_seeds: int,
    n_jobs: int,
    callback: SweepCallback,
) -> SweepReport:
    """Run trials until there are enough, or resume an interrupted sweep.

    Args:
        search_space: The experiment and its validated search space.
        directory: The output directory; created if it does not exist.
        n_trials: Total number of trials, including those of earlier calls.
        n_seeds: Number of seeds per trial, counted up from the experiment's seed; a trial's score is the mean.
        n_jobs: Maximum number of trials at a time.
        callback: The callback.

    Returns:
        The trials, the best one, and the importances of the searched keys.

    Raises:
        MtlError: If there is no validation data, the folder contains something else or trials on other data, or the
            experiment fails with its own values. A failure with other values is a result.
    """
    config, sweep = search_space.base_config, search_space.sweep
    objective = _resolve_objective(config, str(search_space.experiment.source.path))
    directory.reserve(config, sweep, n_seeds)
    with (
        lock_folder(directory.path),
        Study(
            directory.database, sweep, config.seed, objective.higher_is_better, search_space.baseline_params
        ) as study,
    ):
        seed_values = range(config.seed, config.seed + n_seeds)
        scheduler = TrialScheduler(search_space, directory, study, n_trials, seed_values, callback)
        n_finished = sum(record.outcome is not None for record in study.get_records())
        if n_finished < n_trials:
            check_trial_provenance(directory.list_run_dirs(), config)
        callback.on_sweep_start(n_trials, n_finished, objective.name)
        for job, outcome in run_jobs(
            train_trial,
            iter(scheduler.next_job, None),
            n_jobs,
            on_report=scheduler.should_prune,
            on_killed=lambda _, reason: TrialOutcome("failed", reason=f"its {reason}"),
            n_threads=None if n_jobs == 1 else 1,
        ):
            scheduler.finish_trial(job, outcome)
        scheduler.write_results()
        records, best, importance = study.get_records(), study.find_best(), study.compute_importance()
        return SweepReport(objective.name, objective.higher_is_better, objective.disclaimer, records, best, importance)


def _resolve_objective(config: ExperimentConfig, path: str) -> _Objective:
    """Read the data, and return the validation metric that compares trials."""
    with isolate_torch_rng():
        prepared = select_trained_tasks(config, prepare_run(config))
        select = resolve_selection(config.training.select, prepared.tasks, prepared.inactive_tasks)
    if not len(prepared.split.validation):
        raise MtlError(
            f"{path}: has no validation data, which a sweep requires; add some with `split:`, "
            "such as {type: stratified, validation: 0.2}"
        )
    name = " ".join(word for word in (select.aggregation, select.metric) if word)
    return _Objective(name, is_higher_better(select, prepared.tasks), prepared.corpus.disclaimer)


@dataclass
class TrialScheduler:
    """Scheduler of the trials: creates jobs and stores their outcomes."""

    search_space: SearchSpace
    directory: SweepDirectory
    study: Study
    n_trials: int
    seeds: Sequence[int]
    callback: SweepCallback

    def next_job(self) -> TrialJob | None:
        """Write the next trial's experiment and return its job; an invalid combination is a failed trial."""
        while (trial := self.study.ask(self.n_trials)) is not None:
            self.callback.on_trial_start(trial)
            job = TrialJob(trial.number, self.directory.get_trial_path(trial.number), list(self.seeds))
            try:
                config = (
                    self.search_space.base_config
                    if trial.number == BASELINE_TRIAL
                    else self.search_space.apply_params(trial.params)
                )
            except MtlError as error:
                self.finish_trial(job, TrialOutcome("failed", reason=str(error)))
                continue
            write_text_atomically(job.config_path, dump_config(config))
            return job
        return None

    def should_prune(self, job: TrialJob, epoch_score: tuple[int, float]) -> bool:
        """Report the number and the score of an epoch, and return whether to prune the trial."""
        epoch, score = epoch_score
        self.callback.on_epoch_end(job.number, epoch, score)
        return self.study.report(job.number, epoch, score)

    def finish_trial(self, job: TrialJob, outcome: TrialOutcome) -> None:
        """Store the outcome of a trial, and update the files."""
        if job.number == BASELINE_TRIAL and outcome.state == "failed":
            raise MtlError(f"trial {BASELINE_TRIAL}, the experiment's own values: {outcome.reason}")
        record = self.study.finish(job.number, outcome)
        self.write_results()
        self.callback.on_trial_end(record, self.study.find_best())

    def write_results(self) -> None:
        """Write the table of trials, and the best one as an experiment."""
        records, best = self.study.get_records(), self.study.find_best()
        write_text_atomically(
            self.directory.trials, format_trials_csv(records, self.search_space.baseline_texts, self.seeds)
        )
        if best is not None:
            mean = f", the mean over {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
            header = f"# Trial {best.number} of {len(records)}, the best: {best.value!r} on validation data{mean}.\n"
            text = self.directory.get_trial_path(best.number).read_text(encoding="utf-8")
            write_text_atomically(self.directory.best, header + text)
