"""`mtl run` and `mtl resume`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.errors import MtlError
from mtl_core.runs.directory import check_absent, next_free
from mtl_core.runs.launched import helps_another


def run_command(experiment: str, overrides: Sequence[str], plugins: Sequence[str], out: Path | None) -> None:
    """Run an experiment, print its tables, and render its report."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    path = out if out is not None else next_free(Path("runs"), loaded.config.name)
    if not helps_another():
        check_absent(path)

    from mtl_core.cli.progress import ProgressView
    from mtl_core.cli.run_tables import print_run
    from mtl_core.runs.run import run_experiment

    console = Console(quiet=helps_another())
    with _interruptible(path), ProgressView(Console(stderr=True, quiet=helps_another())) as view:
        report = run_experiment(loaded.config, path, view)
    print_run(console, loaded.config.name, report)
    _draw(report.path)


def resume_command(path: Path) -> None:
    """Resume a run, print its tables, and render its report."""
    from mtl_core.cli.progress import ProgressView
    from mtl_core.cli.run_tables import print_run
    from mtl_core.runs.run import resume_run

    console = Console(quiet=helps_another())
    with _interruptible(path), ProgressView(Console(stderr=True, quiet=helps_another())) as view:
        report = resume_run(path, view)
    print_run(console, path.name, report)
    _draw(report.path)


def _draw(path: Path) -> None:
    """Write the run's report.

    Raises:
        MtlError: If the report cannot be rendered. The run is already complete, and is kept.
    """
    if helps_another():
        return
    from mtl_core.report.write import write_report

    again = f"the run itself is complete; `mtl report {path}` retries it"
    try:
        page = write_report(path)[0]
    except MtlError as error:
        raise MtlError(f"the report could not be written: {error}\n{again}") from error
    except Exception as error:
        error.add_note(again)
        raise
    typer.echo(f"report: {page}")


@contextmanager
def _interruptible(path: Path) -> Iterator[None]:
    """Print at Ctrl-C how to resume; Typer would exit without a message."""
    try:
        yield
    except KeyboardInterrupt:
        hint = f"; resume with `mtl resume {path}`" if path.is_dir() else ""
        typer.echo(f"interrupted{hint}", err=True)
        raise typer.Exit(130) from None
