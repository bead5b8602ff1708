"""Run a sweep: sample trials, train them, and write the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtl_core.atomic import write_text_atomically
from mtl_core.comparison.trials import held
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.errors import MtlError
from mtl_core.evaluation.selection import higher_is_better, resolve_selection
from mtl_core.runs.prepare import prepare
from mtl_core.seeding import isolated_torch_randomness
from mtl_core.sweeps.folder import SweepFolder
from mtl_core.sweeps.study import OWN, Draw, Row, Study
from mtl_core.sweeps.table import trials_csv
from mtl_core.sweeps.trial import Job, Outcome
from mtl_core.sweeps.variants import Variants
from mtl_core.sweeps.workers import train_here, train_in_processes


class SweepView(Protocol):
    """Callback of a sweep, such as a progress display."""

    def begun(self, trials: int, done: int, figure: str) -> None:
        """Called at the start, with the total number of trials, the number of finished ones, and the metric."""

    def trial_started(self, draw: Draw) -> None:
        """Called when a trial starts or resumes."""

    def epoch_done(self, number: int, epoch: int, score: float) -> None:
        """Called after each epoch of a trial."""

    def trial_done(self, row: Row, best: Row | None) -> None:
        """Called when a trial ends; `best` is the best trial so far."""


@dataclass(frozen=True)
class SweepReport:
    """The result of a sweep.

    Attributes:
        figure: The name of the metric that compares trials.
        higher_is_better: Whether higher values are better.
        notice: The disclaimer of the data; usually empty.
        rows: The trials, sorted by number.
        best: The best trial; None if none is complete.
        worth: Searched key to its importance; empty with too few trials.
    """

    figure: str
    higher_is_better: bool
    notice: str
    rows: Sequence[Row]
    best: Row | None
    worth: Mapping[str, float]


@dataclass(frozen=True)
class _Figure:
    """The validation metric that compares trials."""

    name: str
    higher_is_better: bool
    notice: str


def run_sweep(
    variants: Variants, folder: SweepFolder, trials: int, seeds: int, jobs: int, view: SweepView
) -> SweepReport:
    """Run trials until there are enough, or resume an interrupted sweep.

    Args:
        variants: The experiment and its validated search space.
        folder: The output directory; created if it does not exist.
        trials: Total number of trials, including those of earlier calls.
        seeds: Number of seeds per trial, counted up from the experiment's seed; a trial's score is the mean.
        jobs: Maximum number of trials at a time.
        view: The callback.

    Returns:
        The trials, the best one, and the importances of the searched keys.

    Raises:
        MtlError: If there is no validation data, the folder contains something else, or the experiment fails with
            its own values. A failure with other values is a result.
    """
    config, sweep = variants.unchanged, variants.sweep
    figure = _figure(config, str(variants.experiment.source.path))
    folder.claim(config, sweep, seeds)
    with (
        held(folder.path),
        Study(folder.database, sweep, config.seed, figure.higher_is_better, variants.own) as study,
    ):
        seen = range(config.seed, config.seed + seeds)
        desk = _Desk(variants, folder, study, trials, seen, view)
        view.begun(trials, sum(row.outcome is not None for row in study.rows()), figure.name)
        if jobs == 1:
            train_here(desk.next_job, desk.judge, desk.done)
        else:
            train_in_processes(jobs, desk.next_job, desk.judge, desk.done)
        desk.write()
        rows, best, worth = study.rows(), study.best(), study.worth()
        return SweepReport(figure.name, figure.higher_is_better, figure.notice, rows, best, worth)


def _figure(config: ExperimentConfig, path: str) -> _Figure:
    """Read the data, and return the validation metric that compares trials."""
    with isolated_torch_randomness():
        prepared = prepare(config)
        select = resolve_selection(config.training.select, prepared.tasks, prepared.others)
    if not len(prepared.split.validation):
        raise MtlError(
            f"{path}: has no validation data, which a sweep requires; add some with `split:`, "
            "such as {type: stratified, validation: 0.2}"
        )
    name = " ".join(word for word in (select.over, select.metric) if word)
    return _Figure(name, higher_is_better(select, prepared.tasks), prepared.corpus.notice)


@dataclass
class _Desk:
    """Scheduler of the trials: creates jobs and stores their outcomes."""

    variants: Variants
    folder: SweepFolder
    study: Study
    trials: int
    seeds: Sequence[int]
    view: SweepView

    def next_job(self) -> Job | None:
        """Write the next trial's experiment and return its job; an invalid combination is a failed trial."""
        while (draw := self.study.next(self.trials)) is not None:
            self.view.trial_started(draw)
            job = Job(draw.number, self.folder.trial(draw.number), list(self.seeds))
            try:
                config = self.variants.unchanged if draw.number == OWN else self.variants.config(draw.values)
            except MtlError as error:
                self.done(job, Outcome("failed", reason=str(error)))
                continue
            write_text_atomically(job.file, dump_config(config))
            return job
        return None

    def judge(self, job: Job, epoch: int, score: float) -> bool:
        """Report an epoch, and return whether to prune the trial."""
        self.view.epoch_done(job.number, epoch, score)
        return self.study.report(job.number, epoch, score)

    def done(self, job: Job, outcome: Outcome) -> None:
        """Store the outcome of a trial, and update the files."""
        if job.number == OWN and outcome.state == "failed":
            raise MtlError(f"trial {OWN}, the experiment's own values: {outcome.reason}")
        row = self.study.finish(job.number, outcome)
        self.write()
        self.view.trial_done(row, self.study.best())

    def write(self) -> None:
        """Write the table of trials, and the best one as an experiment."""
        rows, best = self.study.rows(), self.study.best()
        write_text_atomically(self.folder.trials, trials_csv(rows, self.variants.shown, self.seeds))
        if best is not None:
            mean = f", the mean over {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
            head = f"# Trial {best.number} of {len(rows)}, the best: {best.value!r} on validation data{mean}.\n"
            text = self.folder.trial(best.number).read_text(encoding="utf-8")
            write_text_atomically(self.folder.best, head + text)
