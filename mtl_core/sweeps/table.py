"""The table of trials, `trials.csv`."""

import csv
import io
from collections.abc import Mapping, Sequence

from mtl_core.sweeps.study import OWN, Row


def trials_csv(rows: Sequence[Row], own: Mapping[str, str], seeds: Sequence[int]) -> str:
    """Return a CSV table with one line per trial.

    Args:
        rows: The trials.
        own: Searched key to the experiment's own value, which may be outside the space.
        seeds: The seeds of each trial; with several seeds, there is one column per seed.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    each = [f"seed{seed}" for seed in seeds] if len(seeds) > 1 else []
    writer.writerow(["number", "state", "value", *each, "best_epoch", "seconds", *own, "reason"])
    for row in rows:
        outcome = row.outcome
        scores = [repr(score) for score in outcome.scores] if outcome is not None else []
        writer.writerow(
            [
                row.number,
                outcome.state if outcome is not None else "running",
                "" if row.value is None else repr(row.value),
                *((scores or [""] * len(seeds)) if each else []),
                row.best_epochs,
                f"{outcome.seconds:.3f}" if outcome is not None and outcome.state == "complete" else "",
                *values_of(row, own).values(),
                outcome.reason if outcome is not None else "",
            ]
        )
    return text.getvalue()


def values_of(row: Row, own: Mapping[str, str]) -> dict[str, str]:
    """Return a trial's value of each searched key, as text."""
    return {key: own[key] if row.number == OWN else str(row.values.get(key, "")) for key in own}
