"""Reading of a run directory for its model card."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import parse_schema, read_json, wrap_parse_errors
from mtl_core.artifacts.metrics import CalibrationError
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.yaml_file import read_yaml
from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.read_run import read_run

BLOCKS = ("encoder", "backbone", "architecture", "weighting", "optimizer", "schedule")
"""Config blocks that define the network and its training."""
TRAINING_OPTIONS = ("epochs", "batch_size", "refit", "precision")


def read_card(path: Path) -> Card:
    """Read the model card of a complete run.

    Raises:
        MtlError: If there is no such run, it is not complete, or a file is damaged.
    """
    files = read_run(path)
    run = RunDirectory(path)
    metrics = read_json(run.metrics)
    config = read_yaml(run.config).value
    with wrap_parse_errors(run.metrics):
        errors = metrics.get("calibration", {}).get("errors", {})
        calibration = parse_schema(dict[str, CalibrationError], errors, run.metrics)
        licences = [str(note) for note in metrics.get("licences", ())]
    with wrap_parse_errors(run.config):
        tasks = files.main_split.tasks if files.main_split is not None else []
        names = [task.name for task in tasks] or list(files.classes)
        kinds = {name: _find_kind(name, config["tasks"]) for name in names}
        return Card(files, kinds, list(_describe_components(config)), calibration, licences)


def _find_kind(task: str, entries: Iterable[Mapping[str, Any]]) -> str:
    """Return the kind of a task from the entry with its name, else from the first entry whose pattern matches."""
    entries = list(entries)
    for entry in entries:
        if entry.get("name") == task:
            return str(entry["kind"]["type"])
    for entry in entries:
        if "each" in entry and fnmatchcase(task, entry["each"]):
            return str(entry["kind"]["type"])
    return "unknown"


def _describe_components(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for block in BLOCKS:
        if config.get(block) is not None:
            yield block, _format_block(config[block])
    heads = dict.fromkeys(_format_head(entry) for entry in config["tasks"])
    yield ("head" if len(heads) == 1 else "heads"), "; ".join(heads)
    if config.get("auxiliary"):
        yield "auxiliary tasks", "; ".join(_format_block(block) for block in config["auxiliary"])
    training = {name: config["training"][name] for name in TRAINING_OPTIONS if name in config["training"]}
    yield "training", ", ".join(f"{name} {_format_value(value)}" for name, value in training.items())


def _format_head(entry: Mapping[str, Any]) -> str:
    head = entry.get("head")
    return _format_block(head) if isinstance(head, Mapping) else str(head)


def _format_block(block: Mapping[str, Any]) -> str:
    """Format a config block in one line: its type, and its values in brackets; paths as file names."""
    values = ", ".join(
        f"{name} {_format_value(value)}"
        for name, value in block.items()
        if name != "type" and value not in (None, [], {}) and not isinstance(value, dict)
    )
    return f"{block['type']} ({values})" if values else str(block["type"])


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(_format_value(item) for item in value) + "]"
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)
