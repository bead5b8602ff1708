"""The table of trials, `trials.csv`."""

import csv
import io
from collections.abc import Mapping, Sequence

from mtl_core.experiments.sweep.trial_record import BASELINE_TRIAL, TrialRecord


def format_trials_csv(records: Sequence[TrialRecord], baseline_texts: Mapping[str, str], seeds: Sequence[int]) -> str:
    """Return a CSV table with one line per trial.

    Args:
        records: The trials.
        baseline_texts: Searched key to the experiment's own value, which may be outside the space.
        seeds: The seeds of each trial; with several seeds, there is one column per seed.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    seed_columns = [f"seed{seed}" for seed in seeds] if len(seeds) > 1 else []
    writer.writerow(["number", "state", "value", *seed_columns, "best_epoch", "seconds", *baseline_texts, "reason"])
    for record in records:
        outcome = record.outcome
        scores = [repr(score) for score in outcome.scores] if outcome is not None else []
        writer.writerow(
            [
                record.number,
                outcome.state if outcome is not None else "running",
                "" if record.value is None else repr(record.value),
                *((scores or [""] * len(seeds)) if seed_columns else []),
                record.best_epochs,
                f"{outcome.seconds:.3f}" if outcome is not None and outcome.state == "complete" else "",
                *format_params(record, baseline_texts).values(),
                outcome.reason if outcome is not None else "",
            ]
        )
    return buffer.getvalue()


def format_params(record: TrialRecord, baseline_texts: Mapping[str, str]) -> dict[str, str]:
    """Return a trial's value of each searched key, as text."""
    return {
        key: baseline_texts[key] if record.number == BASELINE_TRIAL else str(record.params.get(key, ""))
        for key in baseline_texts
    }
