"""Write reports: the entry point of this package. It imports matplotlib only when a figure is drawn."""

from pathlib import Path

from mtl_core.artifacts.comparison import COMPARISON_FILE, Comparison
from mtl_core.artifacts.interactions import TaskInteractions, read_interactions
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError
from mtl_core.reporting.read_run import read_run


def write_report(path: Path, figure_dir: Path | None = None) -> list[Path]:
    """Write the report of a run or of a comparison into its directory.

    Args:
        path: The directory of the run or of the comparison.
        figure_dir: The output directory of publication-ready figures (PDF and SVG); created if it does not exist.
            By default, a run writes no figure files, and a comparison writes them into `figures/` next to its
            report.

    Returns:
        The paths of the written files, the report first.

    Raises:
        MtlError: If the directory is neither a run nor a comparison, a file in it is missing or damaged, or a file
            cannot be written.
    """
    if (path / COMPARISON_FILE).is_file():
        return write_comparison_report(path, figure_dir)
    if path.is_dir() and not RunDirectory(path).config.is_file():
        raise MtlError(
            f"{path}: neither a run directory (it contains no {RunDirectory(path).config.name}) nor a comparison "
            f"(it contains no {COMPARISON_FILE})"
        )
    return write_run_report(path, figure_dir)


def write_run_report(path: Path, figure_dir: Path | None = None) -> list[Path]:
    """Write the report of a complete run; see `write_report`."""
    artifacts = read_run(path)
    from mtl_core.reporting.figures.drawing import write_drawing
    from mtl_core.reporting.figures.palette import PAGE, PAPER
    from mtl_core.reporting.figures.style import plot_style
    from mtl_core.reporting.html_page import render_html
    from mtl_core.reporting.run.page import build_run_page

    with plot_style(PAGE):
        html = render_html(build_run_page(artifacts, PAGE))
    written_paths = [RunDirectory(path).report]
    write_text_atomically(written_paths[0], html)
    if figure_dir is not None:
        _create_directory(figure_dir)
        with plot_style(PAPER):
            for page_drawing in build_run_page(artifacts, PAPER).drawings:
                written_paths += write_drawing(page_drawing, figure_dir)
    return written_paths


def write_comparison_report(path: Path, figure_dir: Path | None = None) -> list[Path]:
    """Write the report of a comparison and its figure files; see `write_report`."""
    comparison = Comparison.read(path / COMPARISON_FILE)
    interactions = _read_first_interactions(path, comparison)
    from mtl_core.reporting.comparison.page import build_comparison_page
    from mtl_core.reporting.figures.drawing import write_drawing
    from mtl_core.reporting.figures.palette import PAGE, PAPER
    from mtl_core.reporting.figures.style import plot_style
    from mtl_core.reporting.html_page import render_html

    with plot_style(PAGE):
        html = render_html(build_comparison_page(comparison, interactions, PAGE))
    written_paths = [RunDirectory(path).report]
    write_text_atomically(written_paths[0], html)
    output_dir = figure_dir or path / "figures"
    _create_directory(output_dir)
    with plot_style(PAPER):
        for page_drawing in build_comparison_page(comparison, interactions, PAPER).drawings:
            written_paths += write_drawing(page_drawing, output_dir)
    return written_paths


def _read_first_interactions(path: Path, comparison: Comparison) -> TaskInteractions | None:
    """Read the task interactions that were measured for a grouping, or else by the first multi-task run."""
    if (interactions := read_interactions(RunDirectory(path).interactions)) is not None:
        return interactions
    for run in (run for one in comparison.variants if one.kind == "multi-task" for run in one.runs):
        for folder in (path / run, Path(run)):
            if (interactions := read_interactions(RunDirectory(folder).interactions)) is not None:
                return interactions
    return None


def _create_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MtlError(f"{path}: cannot create the directory for figures: {error.strerror}") from error
