"""`mtl extend`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mtl_core.artifacts.run_directory import check_absent, find_free_path
from mtl_core.cli.console import handle_interrupt
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.experiments.extend.request import ExtensionRequest, build_task_blocks, read_task_blocks
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.config.extension import ExtensionMode
    from mtl_core.experiments.extend.extend_run import ExtensionResult


def extend_command(
    path: Path,
    names: Sequence[str],
    task_file: Path | None,
    kind: str | None,
    head: str | None,
    label: str | None,
    data: Path | None,
    data_set: str | None,
    mode: ExtensionMode,
    margin_texts: Sequence[str],
    force: bool,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
) -> None:
    """Extend a run by tasks, print its tables and what to expect of the added tasks, and render its report."""
    if mode == "frozen" and (margin_texts or force):
        option = "--margin" if margin_texts else "--force"
        raise MtlError(f"{option}: only with --mode joint; a frozen network gives the same answers as before")
    if task_file is not None and (names or kind or head or label):
        raise MtlError(
            "--tasks FILE declares the tasks with all settings; leave --task, --kind, --head and --label out"
        )
    margins = parse_margins(margin_texts)
    blocks = read_task_blocks(task_file) if task_file is not None else build_task_blocks(names, kind, head, label)
    request = ExtensionRequest(path, blocks, data, data_set, mode, overrides, plugins)

    from mtl_core.cli.run import write_run_report
    from mtl_core.cli.run_tables import print_run
    from mtl_core.experiments.extend.extend_run import extend_run
    from mtl_core.experiments.extend.extended_config import build_extended_experiment
    from mtl_core.progress.training import ProgressCallback

    extended = build_extended_experiment(request)
    name = extended.experiment.config.name
    run_dir = output_dir if output_dir is not None else find_free_path(Path("runs"), name)
    check_absent(run_dir)
    console = Console()
    for note in extended.notes:
        print_plain(console, f"note: {note}")
    hint = partial(_format_resume_hint, run_dir)
    with handle_interrupt(hint), ProgressCallback(Console(stderr=True)) as callback:
        result = extend_run(extended, run_dir, margins, force, callback)
    print_run(console, name, result.report)
    _print_result(console, result)
    write_run_report(result.report.path)


def _print_result(console: Console, result: ExtensionResult) -> None:
    """Print what to expect of the added tasks, and whether the tasks of the run got worse."""
    print_plain(console, "added tasks:")
    for estimate in result.added:
        print_plain(console, f"  {estimate.format_line()}")
    if not result.known:
        print_plain(console, "the network of the run is frozen: its tasks give the same answers as before")
        return
    suffix = " (kept with --force)" if result.is_forced else ""
    print_plain(console, f"tasks of the run, before and after{suffix}:")
    for known in result.known:
        print_plain(console, f"  {known.format_line()}")


def _format_resume_hint(run_dir: Path) -> str:
    return f"resume with `mtl resume {run_dir}`" if run_dir.is_dir() else ""
