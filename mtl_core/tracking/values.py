"""What trackers are told: the config as flat keys, an epoch's row of `history.csv`, figures of `metrics.json`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.training.history import EpochRecord

Stage = Literal["selection", "refit"]
"""The training that chooses the epoch, or the second one of a run with `training.refit`."""
Plain = str | int | float | bool
LONGEST = 400
"""Letters in a text. Older MLflow servers take 500."""


def config_values(config: ExperimentConfig) -> dict[str, Plain]:
    """Lay a config out flat: `training.epochs`, `tasks.food.head.type`.

    Entries of a list are called by their `name`, if they have one, and counted from 0 otherwise. A list of plain
    values is one text (JSON), null is the text `null`, and long texts are cut.
    """
    return dict(_flat(config.model_dump(mode="json", exclude={"sweep", "trackers"}), ""))


def _flat(value: Any, place: str) -> Iterator[tuple[str, Plain]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _flat(item, f"{place}.{name or number}")
    elif isinstance(value, bool | int | float):
        yield place, value
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield place, text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def epoch_values(stage: Stage, record: EpochRecord) -> dict[str, float]:
    """Take the figures of an epoch, those that are undefined left out.

    The names are those of `history.csv` with a slash behind the first word, by which trackers group their charts:
    `train/food.loss`, `validation/overall.accuracy`. Those of the second training have `refit/` before them.
    """
    row = {name: value for name, value in record.row().items() if value is not None}
    if stage == "refit":
        return {f"refit/{name}": value for name, value in row.items()}
    del row["epoch"]  # the step says it
    return {name.replace(".", "/", 1): value for name, value in row.items()}


def final_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Take the numbers of `metrics.json` about model, splits and timing, undefined ones and tables left out.

    They are called as they stand there, without `splits` and `tasks`: `final/test.food.accuracy`.
    """
    found = dict(_numbers({"model": metrics["model"], "timing": metrics["timing"]}, "final/"))
    for part, figures in metrics["splits"].items():
        for group, below in figures.items():
            place = f"final/{part}." if group == "tasks" else f"final/{part}.{group}."
            found |= _numbers(below, place)
    return found


def _numbers(values: Mapping[str, Any], place: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{place}{name}.")
        elif isinstance(value, int | float):
            yield f"{place}{name}", value
