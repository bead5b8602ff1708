"""`mtl report`."""

from pathlib import Path

import typer


def report_command(path: Path, figures_dir: Path | None) -> None:
    """Write the report of a run or comparison, and the model card of a run; print the paths."""
    from mtl_core.artifacts.run_directory import RunDirectory
    from mtl_core.reporting.model_card.write_card import write_card
    from mtl_core.reporting.write import write_report

    page, *figure_paths = write_report(path, figures_dir)
    if RunDirectory(path).metrics.is_file():
        write_card(path)
    typer.echo(f"report: {page}")
    if figure_paths:
        typer.echo(f"figures: {figure_paths[0].parent} ({len(figure_paths)} files)")
