"""The output of `mtl compare` and `mtl ablate`: tables and sentences in the terminal, result files, and the report."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mtl_core.artifacts.comparison import COMPARISON_FILE
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.artifacts.comparison import Comparison


def write_and_print(comparison: "Comparison", output_dir: Path) -> None:
    """Print the tables and the summary, write the result files, and render the report.

    Raises:
        MtlError: If a file cannot be written. Files that were written before are kept.
    """
    from mtl_core.cli.compare_summary_tables import build_ranked_tables, build_verdict_table, describe_costs
    from mtl_core.cli.compare_tables import build_costs_table, build_score_tables, format_title
    from mtl_core.experiments.compare.result_files import CSV, LATEX, write_comparison
    from mtl_core.experiments.compare.summary_text import describe_results
    from mtl_core.reporting.write import write_report

    write_comparison(comparison, output_dir)
    console = Console()
    console.print(format_title(comparison), style="bold", highlight=False, markup=False)
    sentences = comparison.summary
    if has_many_tasks(len(comparison.tasks)):
        sentences = [*describe_results(comparison), describe_costs(comparison)]
        console.print(build_verdict_table(comparison))
        for table in build_ranked_tables(comparison):
            console.print(table)
    else:
        for table in build_score_tables(comparison):
            console.print(table)
        console.print(build_costs_table(comparison))
    for sentence in sentences:
        print_plain(console, sentence)
    typer.echo(f"{output_dir}: {COMPARISON_FILE}, {CSV} and {LATEX} written")
    typer.echo(f"report: {write_report(output_dir)[0]}; its figures as PDF and SVG next to it")
