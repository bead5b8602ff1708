"""Write the result of a comparison: JSON, CSV and LaTeX."""

from pathlib import Path

from mtl_core.artifacts.comparison import COMPARISON_FILE, Comparison
from mtl_core.atomic import write_text_atomically
from mtl_core.experiments.compare.csv_table import format_csv
from mtl_core.experiments.compare.latex_table import format_latex
from mtl_core.experiments.output_dir import create_folder

CSV, LATEX = "comparison.csv", "comparison.tex"


def write_comparison(comparison: Comparison, output_dir: Path) -> None:
    """Write the result files.

    Raises:
        MtlError: If a file cannot be written. Files that were written before are kept.
    """
    create_folder(output_dir, exist_ok=True)
    comparison.write(output_dir / COMPARISON_FILE)
    write_text_atomically(output_dir / CSV, format_csv(comparison))
    write_text_atomically(output_dir / LATEX, format_latex(comparison))
