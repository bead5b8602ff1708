"""`mtl run` and `mtl resume`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from mtl_core.artifacts.run_directory import check_absent, find_free_path
from mtl_core.cli.ranks import end_ranks, handle_rank_interrupt
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import use_registry
from mtl_core.runs.distributed import is_worker_rank, raise_on_every_rank


def run_command(experiment: str, overrides: Sequence[str], plugins: Sequence[str], output_dir: Path | None) -> None:
    """Run an experiment, print its tables, and render its report."""
    with raise_on_every_rank():
        loaded = load_experiment(experiment, overrides, plugins)
        check_inputs(loaded)
        run_dir = output_dir if output_dir is not None else find_free_path(Path("runs"), loaded.config.name)
        if not is_worker_rank():
            check_absent(run_dir)

    from mtl_core.cli.run_tables import print_run
    from mtl_core.progress.training import ProgressCallback
    from mtl_core.runs.run import run_experiment

    console = Console(quiet=is_worker_rank())
    with (
        use_registry(loaded.registry),
        handle_rank_interrupt(partial(_format_resume_hint, run_dir)),
        ProgressCallback(Console(stderr=True, quiet=is_worker_rank())) as callback,
    ):
        report = run_experiment(loaded.config, run_dir, callback, experiment_path=loaded.path)
    print_run(console, loaded.config.name, report)
    write_run_report(report.path)
    end_ranks()


def resume_command(run_dir: Path) -> None:
    """Resume a run, print its tables, and render its report."""
    from mtl_core.cli.run_tables import print_run
    from mtl_core.progress.training import ProgressCallback
    from mtl_core.runs.run import resume_run

    console = Console(quiet=is_worker_rank())
    with (
        handle_rank_interrupt(partial(_format_resume_hint, run_dir)),
        ProgressCallback(Console(stderr=True, quiet=is_worker_rank())) as callback,
    ):
        report = resume_run(run_dir, callback)
    print_run(console, run_dir.name, report)
    write_run_report(report.path)
    end_ranks()


def write_run_report(run_dir: Path) -> None:
    """Write the run's report.

    Raises:
        MtlError: If the report cannot be rendered. The run is already complete, and is kept.
    """
    if is_worker_rank():
        return
    from mtl_core.reporting.write import write_report

    retry_hint = f"the run itself is complete; `mtl report {run_dir}` retries it"
    try:
        page = write_report(run_dir)[0]
    except MtlError as error:
        raise MtlError(f"the report could not be written: {error}\n{retry_hint}") from error
    except Exception as error:
        error.add_note(retry_hint)
        raise
    typer.echo(f"report: {page}")


def _format_resume_hint(run_dir: Path) -> str:
    return f"resume with `mtl resume {run_dir}`" if run_dir.is_dir() else ""
