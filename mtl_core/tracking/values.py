"""Values for trackers: the flattened config, an epoch's row of `history.csv`, the metrics of `metrics.json`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.training.history import EpochRecord

Stage = Literal["selection", "refit"]
"""The training that selects the epoch, or the second training of a run with `training.refit`."""
Plain = str | int | float | bool
LONGEST = 400
"""Maximum number of characters of a text; the limit of older MLflow servers is 500."""


def config_values(config: ExperimentConfig) -> dict[str, Plain]:
    """Flatten a config: `training.epochs`, `tasks.food.head.type`.

    The key of a list element is its `name`, or its index from 0. A list of scalars becomes one text (JSON), null
    becomes the text `null`, and long texts are truncated.
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
    """Return the metrics of an epoch without undefined values.

    The names are the columns of `history.csv` with a slash after the first word, by which trackers group charts:
    `train/food.loss`, `validation/overall.accuracy`. The names of the second training start with `refit/`.
    """
    row = {name: value for name, value in record.row().items() if value is not None}
    if stage == "refit":
        return {f"refit/{name}": value for name, value in row.items()}
    del row["epoch"]  # the step contains it
    return {name.replace(".", "/", 1): value for name, value in row.items()}


def final_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of `metrics.json` about model, splits and timing, without undefined values and tables.

    The names are the paths in the file without `splits` and `tasks`: `final/test.food.accuracy`.
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
