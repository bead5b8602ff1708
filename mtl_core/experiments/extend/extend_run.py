"""Extend a finished run by tasks: build its experiment, train, and refuse a result that made known tasks worse."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mtl_core.artifacts.json_files import dump_json, read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError, join_names
from mtl_core.experiments.compare.margins import resolve_margins
from mtl_core.experiments.extend.added_tasks import AddedTaskEstimate, estimate_added_tasks
from mtl_core.experiments.extend.extended_config import ExtendedExperiment
from mtl_core.experiments.extend.known_tasks import KnownTaskResult, compare_known_tasks, format_refusal
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.python_parts import get_part_name
from mtl_core.runs.extension_data import load_parent
from mtl_core.runs.run import run_experiment
from mtl_core.runs.run_report import RunReport
from mtl_core.runs.saved_run import load_run
from mtl_core.training.callback import Callback


@dataclass(frozen=True)
class ExtensionResult:
    """The result of an extension.

    Attributes:
        report: The report of the extended run.
        added: The estimated scores of the added tasks.
        known: The tasks of the run before and after; empty if its network was frozen.
        is_forced: Whether the result was kept although a task may have got worse beyond its margin.
    """

    report: RunReport
    added: Sequence[AddedTaskEstimate]
    known: Sequence[KnownTaskResult]
    is_forced: bool


def extend_run(
    extended: ExtendedExperiment,
    out: Path,
    margins: Mapping[str, float],
    force: bool = False,
    callback: Callback | None = None,
) -> ExtensionResult:
    """Train an extended run.

    Args:
        extended: The experiment, from `build_extended_experiment`.
        out: The run directory; it must not exist.
        margins: Task to the largest acceptable deterioration, for joint training; see `parse_margins`.
        force: Whether to keep the result of joint training even if tasks may have got worse beyond their margins.
        callback: The callback for progress.

    Raises:
        MtlError: If the data does not fit the run, or if joint training is refused; no run directory is left.
    """
    config, extension, registry = extended.experiment.config, extended.extension, extended.experiment.registry
    with use_registry(registry):
        if extension.mode == "frozen":
            report = run_experiment(config, out, callback)
            return _finish(extended, report, [], is_forced=False)
        _check_known_tasks(extension.run, margins)
        try:
            report = run_experiment(config, out, callback)
            parent = load_parent(config, extension)
            known = compare_known_tasks(
                parent, load_run(report.path, config.plugins, registry.plugins.parts), report.data, margins, config.seed
            )
            is_refused = any(result.verdict != "non-inferior" for result in known)
            if is_refused and not force:
                raise MtlError(format_refusal(extension.run.name, known))
            return _finish(extended, report, known, is_forced=is_refused)
        except BaseException:  # also Ctrl-C: an extended run whose tasks were not compared must not look finished
            if out.is_dir() and RunDirectory(out).config.is_file():
                shutil.rmtree(out)
            raise


def _finish(
    extended: ExtendedExperiment, report: RunReport, known: Sequence[KnownTaskResult], is_forced: bool
) -> ExtensionResult:
    """Estimate the added tasks, and write `extension.json`."""
    config, parts = extended.experiment.config, extended.experiment.registry.plugins.parts
    run = RunDirectory(report.path)
    run.write_python_parts([get_part_name(part) for part in parts])
    saved_run = load_run(run.path, config.plugins, parts)
    added = estimate_added_tasks(saved_run, report.data, extended.extension.tasks, config.seed)
    content = {
        "run": str(extended.extension.run),
        "mode": extended.extension.mode,
        "forced": is_forced,
        "notes": list(extended.notes),
        "added": [asdict(estimate) for estimate in added],
        "known": [asdict(result) for result in known],
    }
    write_text_atomically(run.extension, dump_json(content))
    return ExtensionResult(report, added, known, is_forced)


def _check_known_tasks(run_dir: Path, margins: Mapping[str, float]) -> None:
    """Check, before joint training, that the tasks of the run can be compared afterwards.

    Raises:
        MtlError: If one has no validation label, or a margin names no task.
    """
    run = RunDirectory(run_dir)
    names = [task["name"] for task in run.read_state()["tasks"]]
    resolve_margins(margins, dict.fromkeys(names), dict.fromkeys(names, True))
    tasks = read_json(run.metrics)["splits"].get("validation", {}).get("tasks", {})
    missing = [name for name in names if not tasks.get(name, {}).get("n")]
    if missing:
        raise MtlError(
            f"{run_dir}: no validation label of {join_names(missing)}, so that joint training could make it worse "
            "unnoticed; use --mode frozen, or train the run with validation data"
        )
