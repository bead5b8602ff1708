"""Values for trackers: the flattened config, an epoch's row of `history.csv`, the metrics of `metrics.json`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

from mtl_core.artifacts.history import EpochRecord
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.provenance import Provenance
from mtl_core.config.experiment import ExperimentConfig

Stage = Literal["selection", "refit"]
"""The training that selects the epoch, or the second training of a run with `training.refit`."""
TrackedValue = str | int | float | bool
MAX_TEXT_LENGTH = 400
"""Maximum number of characters of a text; the limit of older MLflow servers is 500."""


def flatten_config(config: ExperimentConfig) -> dict[str, TrackedValue]:
    """Flatten a config: `training.epochs`, `tasks.food.head.type`.

    The key of a list element is its `name`, or its index from 0. A list of scalars becomes one text (JSON), null
    becomes the text `null`, and long texts are truncated.
    """
    return dict(_flatten(config.model_dump(mode="json", exclude={"sweep", "trackers"}), ""))


def flatten_provenance(provenance: Provenance) -> dict[str, TrackedValue]:
    """Flatten the provenance of a run: `provenance.packages.torch`, `provenance.files.data.train.sha256`.

    Keys, truncation and null values are those of `flatten_config`.
    """
    content = asdict(provenance)
    del content["resumed"]  # what is logged at the start remains
    return dict(_flatten(content, "provenance"))


def _flatten(value: Any, key_path: str) -> Iterator[tuple[str, TrackedValue]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{key_path}.{key}" if key_path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _flatten(item, f"{key_path}.{name or number}")
    elif isinstance(value, bool | int | float):
        yield key_path, value
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield key_path, text if len(text) <= MAX_TEXT_LENGTH else f"{text[: MAX_TEXT_LENGTH - 1]}…"


def collect_epoch_values(stage: Stage, record: EpochRecord) -> dict[str, float]:
    """Return the metrics of an epoch without undefined values.

    The names are the columns of `history.csv` with a slash after the first word, by which trackers group charts:
    `train/food.loss`, `validation/overall.accuracy`. The names of the second training start with `refit/`.
    """
    row = {name: value for name, value in record.to_row().items() if value is not None}
    if stage == "refit":
        return {f"refit/{name}": value for name, value in row.items()}
    del row["epoch"]  # the step contains it
    return {name.replace(".", "/", 1): value for name, value in row.items()}


def collect_final_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of `metrics.json` about model, splits and timing, without undefined values and tables.

    The names are the paths in the file without `splits` and `tasks`: `final/test.food.accuracy`. Of many main tasks,
    only the means are among them.
    """
    numbers = dict(_collect_numbers({"model": metrics["model"], "timing": metrics["timing"]}, "final/"))
    for split_name, split_metrics in metrics["splits"].items():
        for group, group_metrics in split_metrics.items():
            if group == "tasks" and has_many_tasks(len(group_metrics)):
                continue
            prefix = f"final/{split_name}." if group == "tasks" else f"final/{split_name}.{group}."
            numbers |= _collect_numbers(group_metrics, prefix)
    return numbers


def _collect_numbers(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _collect_numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value
