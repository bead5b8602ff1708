"""A trial of a sweep: its sampled values, and its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.config.sweep import ParamValue

BASELINE_TRIAL = 0
"""The number of the trial with the experiment's own values."""


@dataclass(frozen=True)
class SampledTrial:
    """A sampled trial, not yet trained.

    Attributes:
        number: The number of the trial, counted from 0.
        params: Searched key to its sampled value; missing keys have the experiment's own value.
    """

    number: int
    params: Mapping[str, ParamValue]


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes:
        state: `complete`; `pruned`, stopped early because other trials were better; `failed`, it raised an error.
        scores: The validation score of the best epoch, per seed; only of a complete trial.
        best_epochs: The best epoch of each seed, counted from 1.
        seconds: Training time in seconds.
        reason: Why a trial is not complete.
    """

    state: Literal["complete", "pruned", "failed"]
    scores: Sequence[float] = ()
    best_epochs: Sequence[int] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def value(self) -> float | None:
        """The trial's score, the mean over its seeds; None if it is not complete."""
        return sum(self.scores) / len(self.scores) if self.state == "complete" else None


@dataclass(frozen=True)
class TrialRecord:
    """A stored trial.

    Attributes:
        number: The number of the trial, counted from 0.
        params: Searched key to its sampled value.
        outcome: The outcome; None while the trial is running, or if it was interrupted.
    """

    number: int
    params: Mapping[str, ParamValue]
    outcome: TrialOutcome | None

    @property
    def value(self) -> float | None:
        """The trial's score; None if it is not complete."""
        return None if self.outcome is None else self.outcome.value

    @property
    def best_epochs(self) -> str:
        """The best epoch of each seed, separated by spaces."""
        return "" if self.outcome is None else " ".join(map(str, self.outcome.best_epochs))
