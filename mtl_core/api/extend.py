"""Extend a finished run by tasks from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mtl_core.api.task import Task, parse_tasks
from mtl_core.artifacts.run_directory import check_absent
from mtl_core.config.extension import ExtensionMode
from mtl_core.data.memory_tables import MemoryTables
from mtl_core.data.python_tables import read_columns
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.experiments.extend.extend_run import ExtensionResult, extend_run
from mtl_core.experiments.extend.extended_config import build_extended_experiment
from mtl_core.experiments.extend.request import ExtensionRequest
from mtl_core.progress.bars import print_plain
from mtl_core.progress.training import ProgressCallback
from mtl_core.runs.saved_run import SavedRun


def extend_from_python(
    path: Path,
    saved_run: SavedRun,
    tasks: Task | str | Sequence[Task | str],
    data: Any,
    mode: ExtensionMode,
    margin: float | Mapping[str, float] | None,
    force: bool,
    overrides: Sequence[str],
    out: Path,
    progress: bool,
    parts: Sequence[object],
    plugins: Sequence[str],
) -> tuple[ExtensionResult, Sequence[object]]:
    """Extend a run; arguments as in `Run.extend`.

    Returns:
        The result, and the parts that are needed to load the extended run.
    """
    if mode == "frozen" and (margin is not None or force):
        raise MtlError("extend: margin and force are for mode='joint'; a frozen network gives the same answers")
    added = parse_tasks([tasks] if isinstance(tasks, Task | str) else tasks)
    blocks, all_parts = [], list(parts)
    for task in added:
        block = task.build_block({})
        value = dict(block.value)
        if task.head is None:  # the default is the head of the run's first task
            value.pop("head")
        blocks.append(value)
        all_parts += [part for part in block.parts if part not in all_parts]
    is_file = isinstance(data, str | Path)
    loader = None if data is None or is_file else _build_loader(saved_run, data, added)
    request = ExtensionRequest(
        path, blocks, Path(data) if is_file else None, None, mode, overrides, plugins, all_parts, loader
    )
    check_absent(out)
    extended = build_extended_experiment(request)
    console = Console(stderr=True, quiet=not progress)
    for note in extended.notes:
        print_plain(console, f"note: {note}")
    margins = parse_margins(_list_margins(margin))
    with ProgressCallback(console) as callback:
        result = extend_run(extended, out, margins, force, callback)
    lines = [*(one.format_line() for one in result.added), *(one.format_line() for one in result.known)]
    for line in lines:
        print_plain(console, line)
    return result, all_parts


def _list_margins(margin: float | Mapping[str, float] | None) -> list[str]:
    if margin is None:
        return []
    return [f"{task}={number}" for task, number in margin.items()] if isinstance(margin, Mapping) else [str(margin)]


def _build_loader(saved_run: SavedRun, table: Any, tasks: Sequence[Task]) -> dict[str, Any]:
    """Build the loader of a table in memory with the labels of the added tasks.

    Raises:
        MtlError: If the run reads no columns.
    """
    loader = saved_run.get_loader()
    if not loader.input_types:
        raise MtlError(
            f"extend: the loader '{loader.type}' of this run reads no columns of tables; write the new labels to a "
            "file of its format, and give its path"
        )
    tables = MemoryTables({"train": read_columns(table)})
    return {
        "type": "memory",
        "inputs": dict(loader.input_types),
        "labels": list(dict.fromkeys(task.label or task.name for task in tasks)),
        "missing": getattr(loader, "missing", [""]),
        "digest": tables.compute_digest(),
        "tables": tables,
    }
