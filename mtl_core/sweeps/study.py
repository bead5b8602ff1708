"""The trials of a sweep as an Optuna study: sampling, pruning and results.

Only one process opens the study, whatever the number of training processes. The storage is SQLite, whose
transactions are atomic; Optuna's journal storage can contain a partial line or a stale lock after a killed process.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL

from mtl_core.seeding import derive_seed
from mtl_core.sweeps.space import Choices, Drawn, Integer, LogInteger, Parameter, Sweep, Tpe, Uniform
from mtl_core.sweeps.trial import Outcome

OWN = 0
"""The number of the trial with the experiment's own values."""
ENOUGH = 10
"""Minimum number of complete trials for parameter importances."""


@dataclass(frozen=True)
class Draw:
    """A sampled trial, not yet trained.

    Attributes:
        number: The number of the trial, counted from 0.
        values: Searched key to its sampled value; missing keys have the experiment's own value.
    """

    number: int
    values: Mapping[str, Drawn]


@dataclass(frozen=True)
class Row:
    """A stored trial.

    Attributes:
        number: The number of the trial, counted from 0.
        values: Searched key to its sampled value.
        outcome: The outcome; None while the trial is running, or if it was interrupted.
    """

    number: int
    values: Mapping[str, Drawn]
    outcome: Outcome | None

    @property
    def value(self) -> float | None:
        """The trial's score; None if it is not complete."""
        return None if self.outcome is None else self.outcome.value

    @property
    def best_epochs(self) -> str:
        """The best epoch of each seed, separated by spaces."""
        return "" if self.outcome is None else " ".join(map(str, self.outcome.best_epochs))


@dataclass
class _Open:
    """A running trial."""

    trial: Trial
    reported: set[int] = field(default_factory=set)


class Study:
    """The trials of a sweep. Use as a context manager.

    Args:
        database: The SQLite file.
        sweep: The `sweep:` block.
        seed: The experiment's seed.
        higher_is_better: Whether higher scores are better.
        own: Searched key to the experiment's own value, for keys whose space contains it.
    """

    def __init__(
        self, database: Path, sweep: Sweep, seed: int, higher_is_better: bool, own: Mapping[str, Drawn]
    ) -> None:
        self._sweep, self._seed, self._own = sweep, seed, own
        self.higher_is_better = higher_is_better
        # Optuna applies `str.format` to the URL.
        url = URL.create("sqlite", database=str(database)).render_as_string().replace("{", "{{").replace("}", "}}")
        with _quiet():
            self._storage = optuna.storages.RDBStorage(url)
            self._study = optuna.create_study(
                study_name="sweep",
                storage=self._storage,
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
                pruner=self._pruner(),
            )
        self._open: dict[int, _Open] = {}
        trials = self._study.get_trials(deepcopy=False)
        self._cut_off = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self._begun = sum(trial.state.is_finished() for trial in trials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    def next(self, trials: int) -> Draw | None:
        """Sample the next trial. Interrupted trials come first, with their previous values.

        Values are a function of the seed, the trial's number and the outcomes of the previous trials, so that a
        resumed sweep samples the same values as an uninterrupted one.

        Args:
            trials: Total number of trials.

        Returns:
            The next trial; None if there are enough trials.
        """
        if self._begun >= trials:
            return None
        self._begun += 1
        with _quiet():
            if self._cut_off:
                frozen = self._cut_off.pop(0)
                self._study.sampler = self._sampler(frozen.number)
                trial = Trial(self._study, frozen._trial_id)
                opened = _Open(trial, set(frozen.intermediate_values))
            else:
                if not self._study.get_trials(deepcopy=False):
                    self._study.enqueue_trial(dict(self._own))
                waiting = (TrialState.WAITING,)
                known = self._study.get_trials(deepcopy=False)
                number = len(known) - len(self._study.get_trials(deepcopy=False, states=waiting))
                self._study.sampler = self._sampler(number)
                opened = _Open(self._study.ask())
            number = opened.trial.number
            values = {
                key: _suggest(opened.trial, key, parameter)
                for key, parameter in self._sweep.space.items()
                if number != OWN or key in self._own
            }
        self._open[number] = opened
        return Draw(number, values)

    def report(self, number: int, epoch: int, score: float) -> bool:
        """Report a trial's score after an epoch, counted from 1; return whether to prune the trial.

        The trial with the experiment's own values is never pruned. An epoch that is repeated after an interruption
        counts once.
        """
        opened, step = self._open[number], epoch - 1
        if step not in opened.reported:
            opened.trial.report(score, step)
            opened.reported.add(step)
        return number != OWN and step == max(opened.reported) and opened.trial.should_prune()

    def finish(self, number: int, outcome: Outcome) -> Row:
        """Store the outcome of a trial.

        The sampler treats a failed trial like a pruned one: it avoids such values.
        """
        trial = self._open.pop(number).trial
        trial.set_user_attr("outcome", asdict(outcome))
        if outcome.value is not None:
            self._study.tell(trial, outcome.value)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)
        return next(row for row in self.rows() if row.number == number)

    def rows(self) -> list[Row]:
        """Return all trials, sorted by number."""
        trials = self._study.get_trials(deepcopy=False)
        return [_row(trial) for trial in trials if trial.state != TrialState.WAITING]

    def best(self) -> Row | None:
        """Return the complete trial with the best score, the first one of equal trials; None without any."""
        sign = -1 if self.higher_is_better else 1
        complete = [(sign * row.value, row.number, row) for row in self.rows() if row.value is not None]
        return min(complete)[2] if complete else None

    def worth(self) -> dict[str, float]:
        """Compute the importance of each parameter: the share of the variance between complete trials.

        A functional analysis of variance (fANOVA: Hutter, Hoos and Leyton-Brown, 2014), scaled to a sum of 1. Empty
        with fewer than ten complete trials, or if all scores are equal.
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        keys = [key for key in self._sweep.space if len({str(trial.params.get(key)) for trial in complete}) > 1]
        whole = [trial for trial in complete if all(key in trial.params for key in keys)]
        if len(whole) < ENOUGH or len({trial.value for trial in whole}) < 2 or not keys:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        worth = optuna.importance.get_param_importances(self._study, evaluator=evaluator, params=keys)
        return {key: float(worth[key]) for key in keys}

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Build a new sampler per trial, so that its values do not depend on earlier samples of this process."""
        seed = derive_seed(self._seed, "sweep", number) % 2**32
        chosen = self._sweep.sampler
        if isinstance(chosen, Tpe):
            return optuna.samplers.TPESampler(
                n_startup_trials=chosen.startup_trials, multivariate=True, constant_liar=True, seed=seed
            )
        return optuna.samplers.RandomSampler(seed=seed)

    def _pruner(self) -> optuna.pruners.BasePruner:
        chosen = self._sweep.pruning
        if chosen is None:
            return optuna.pruners.NopPruner()
        return optuna.pruners.MedianPruner(
            n_startup_trials=chosen.startup_trials, n_warmup_steps=chosen.warmup_epochs
        )


def _suggest(trial: Trial, key: str, parameter: Parameter) -> Drawn:
    if isinstance(parameter, Choices):
        return str(trial.suggest_categorical(key, list(parameter.by_label())))
    if isinstance(parameter, Integer):
        return int(trial.suggest_int(key, parameter.low, parameter.high, step=parameter.step))
    if isinstance(parameter, LogInteger):
        return int(trial.suggest_int(key, parameter.low, parameter.high, log=True))
    log = not isinstance(parameter, Uniform)
    return float(trial.suggest_float(key, parameter.low, parameter.high, log=log))


def _row(trial: FrozenTrial) -> Row:
    if not trial.state.is_finished():
        return Row(trial.number, trial.params, None)
    return Row(trial.number, trial.params, Outcome(**trial.user_attrs["outcome"]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's log lines, and its warnings about options that older versions mark as experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
