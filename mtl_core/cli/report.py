"""`mtl report`."""

from pathlib import Path

import typer


def report_command(path: Path, figures: Path | None) -> None:
    """Write the report of a run or of a comparison, and say where it is."""
    from mtl_core.report.write import write_report

    page, *others = write_report(path, figures)
    typer.echo(f"report: {page}")
    if others:
        typer.echo(f"figures: {others[0].parent} ({len(others)} files)")
