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

from mtl_core.config.sweep import Choices, Integer, LogInteger, Parameter, ParamValue, Sweep, Tpe, Uniform
from mtl_core.experiments.sweep.trial_record import BASELINE_TRIAL, SampledTrial, TrialOutcome, TrialRecord
from mtl_core.seeding import derive_seed

MIN_TRIALS_FOR_IMPORTANCE = 10
"""Minimum number of complete trials for parameter importances."""


@dataclass
class _RunningTrial:
    """A running trial."""

    trial: Trial
    reported_steps: set[int] = field(default_factory=set)


class Study:
    """The trials of a sweep. Use as a context manager.

    Args:
        database: The SQLite file.
        sweep: The `sweep:` block.
        seed: The experiment's seed.
        higher_is_better: Whether higher scores are better.
        baseline_params: Searched key to the experiment's own value, for keys whose space contains it.
    """

    def __init__(
        self,
        database: Path,
        sweep: Sweep,
        seed: int,
        higher_is_better: bool,
        baseline_params: Mapping[str, ParamValue],
    ) -> None:
        self._sweep, self._seed, self._baseline_params = sweep, seed, baseline_params
        self.higher_is_better = higher_is_better
        # Optuna applies `str.format` to the URL.
        url = URL.create("sqlite", database=str(database)).render_as_string().replace("{", "{{").replace("}", "}}")
        with _silence_optuna():
            self._storage = optuna.storages.RDBStorage(url)
            self._study = optuna.create_study(
                study_name="sweep",
                storage=self._storage,
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
                pruner=self._build_pruner(),
            )
        self._running_trials: dict[int, _RunningTrial] = {}
        trials = self._study.get_trials(deepcopy=False)
        self._interrupted_trials = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self._n_started = sum(trial.state.is_finished() for trial in trials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    def ask(self, n_trials: int) -> SampledTrial | None:
        """Sample the next trial. Interrupted trials come first, with their previous values.

        Values are a function of the seed, the trial's number and the outcomes of the previous trials, so that a
        resumed sweep samples the same values as an uninterrupted one.

        Args:
            n_trials: Total number of trials.

        Returns:
            The next trial; None if there are enough trials.
        """
        if self._n_started >= n_trials:
            return None
        self._n_started += 1
        with _silence_optuna():
            if self._interrupted_trials:
                frozen = self._interrupted_trials.pop(0)
                self._study.sampler = self._build_sampler(frozen.number)
                trial = Trial(self._study, frozen._trial_id)
                running_trial = _RunningTrial(trial, set(frozen.intermediate_values))
            else:
                if not self._study.get_trials(deepcopy=False):
                    self._study.enqueue_trial(dict(self._baseline_params))
                waiting_states = (TrialState.WAITING,)
                existing_trials = self._study.get_trials(deepcopy=False)
                number = len(existing_trials) - len(self._study.get_trials(deepcopy=False, states=waiting_states))
                self._study.sampler = self._build_sampler(number)
                running_trial = _RunningTrial(self._study.ask())
            number = running_trial.trial.number
            params = {
                key: _suggest(running_trial.trial, key, parameter)
                for key, parameter in self._sweep.space.items()
                if number != BASELINE_TRIAL or key in self._baseline_params
            }
        self._running_trials[number] = running_trial
        return SampledTrial(number, params)

    def report(self, number: int, epoch: int, score: float) -> bool:
        """Report a trial's score after an epoch, counted from 1; return whether to prune the trial.

        The trial with the experiment's own values is never pruned. An epoch that is repeated after an interruption
        counts once.
        """
        running_trial, step = self._running_trials[number], epoch - 1
        if step not in running_trial.reported_steps:
            running_trial.trial.report(score, step)
            running_trial.reported_steps.add(step)
        return (
            number != BASELINE_TRIAL
            and step == max(running_trial.reported_steps)
            and running_trial.trial.should_prune()
        )

    def finish(self, number: int, outcome: TrialOutcome) -> TrialRecord:
        """Store the outcome of a trial.

        The sampler treats a failed trial like a pruned one: it avoids such values.
        """
        trial = self._running_trials.pop(number).trial
        trial.set_user_attr("outcome", asdict(outcome))
        if outcome.value is not None:
            self._study.tell(trial, outcome.value)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)
        return next(row for row in self.get_records() if row.number == number)

    def get_records(self) -> list[TrialRecord]:
        """Return all trials, sorted by number."""
        frozen_trials = self._study.get_trials(deepcopy=False)
        return [_to_record(trial) for trial in frozen_trials if trial.state != TrialState.WAITING]

    def find_best(self) -> TrialRecord | None:
        """Return the complete trial with the best score, the first one of equal trials; None without any."""
        sign = -1 if self.higher_is_better else 1
        complete = [(sign * row.value, row.number, row) for row in self.get_records() if row.value is not None]
        return min(complete)[2] if complete else None

    def compute_importance(self) -> dict[str, float]:
        """Compute the importance of each parameter: the share of the variance between complete trials.

        A functional analysis of variance (fANOVA: Hutter, Hoos and Leyton-Brown, 2014), scaled to a sum of 1. Empty
        with fewer than ten complete trials, or if all scores are equal.
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        keys = [key for key in self._sweep.space if len({str(trial.params.get(key)) for trial in complete}) > 1]
        trials_with_keys = [trial for trial in complete if all(key in trial.params for key in keys)]
        if (
            len(trials_with_keys) < MIN_TRIALS_FOR_IMPORTANCE
            or len({trial.value for trial in trials_with_keys}) < 2
            or not keys
        ):
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        importances = optuna.importance.get_param_importances(self._study, evaluator=evaluator, params=keys)
        return {key: float(importances[key]) for key in keys}

    def _build_sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Build a new sampler per trial, so that its values do not depend on earlier samples of this process."""
        seed = derive_seed(self._seed, "sweep", number) % 2**32
        sampler_settings = self._sweep.sampler
        if isinstance(sampler_settings, Tpe):
            return optuna.samplers.TPESampler(
                n_startup_trials=sampler_settings.startup_trials, multivariate=True, constant_liar=True, seed=seed
            )
        return optuna.samplers.RandomSampler(seed=seed)

    def _build_pruner(self) -> optuna.pruners.BasePruner:
        pruning_settings = self._sweep.pruning
        if pruning_settings is None:
            return optuna.pruners.NopPruner()
        return optuna.pruners.MedianPruner(
            n_startup_trials=pruning_settings.startup_trials, n_warmup_steps=pruning_settings.warmup_epochs
        )


def _suggest(trial: Trial, key: str, parameter: Parameter) -> ParamValue:
    if isinstance(parameter, Choices):
        return str(trial.suggest_categorical(key, list(parameter.get_choices_by_label())))
    if isinstance(parameter, Integer):
        return int(trial.suggest_int(key, parameter.low, parameter.high, step=parameter.step))
    if isinstance(parameter, LogInteger):
        return int(trial.suggest_int(key, parameter.low, parameter.high, log=True))
    log = not isinstance(parameter, Uniform)
    return float(trial.suggest_float(key, parameter.low, parameter.high, log=log))


def _to_record(trial: FrozenTrial) -> TrialRecord:
    if not trial.state.is_finished():
        return TrialRecord(trial.number, trial.params, None)
    return TrialRecord(trial.number, trial.params, TrialOutcome(**trial.user_attrs["outcome"]))


@contextmanager
def _silence_optuna() -> Iterator[None]:
    """Suppress Optuna's log lines, and its warnings about options that older versions mark as experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
