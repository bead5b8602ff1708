"""Write reports: the entry point of this package. It imports matplotlib only when a figure is drawn."""

from pathlib import Path

from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError
from mtl_core.report.read import read_run
from mtl_core.report.read_comparison import FILE as COMPARISON
from mtl_core.report.read_comparison import read_comparison
from mtl_core.runs.directory import RunDirectory

REPORT = "report.html"


def write_report(path: Path, figures: Path | None = None) -> list[Path]:
    """Write the report of a run or of a comparison into its directory.

    Args:
        path: The directory of the run or of the comparison.
        figures: The output directory of publication-ready figures (PDF and SVG); created if it does not exist. By
            default, a run writes no figure files, and a comparison writes them into `figures/` next to its report.

    Returns:
        The paths of the written files, the report first.

    Raises:
        MtlError: If the directory is neither a run nor a comparison, a file in it is missing or damaged, or a file
            cannot be written.
    """
    if (path / COMPARISON).is_file():
        return write_comparison_report(path, figures)
    if path.is_dir() and not RunDirectory(path).config.is_file():
        raise MtlError(
            f"{path}: neither a run directory (it contains no {RunDirectory(path).config.name}) nor a comparison "
            f"(it contains no {COMPARISON})"
        )
    return write_run_report(path, figures)


def write_run_report(path: Path, figures: Path | None = None) -> list[Path]:
    """Write the report of a complete run; see `write_report`."""
    files = read_run(path)
    from mtl_core.report.figures.canvas import drawing, write_files
    from mtl_core.report.figures.palette import PAGE, PAPER
    from mtl_core.report.page import render
    from mtl_core.report.run.page import run_page

    with drawing(PAGE):
        text = render(run_page(files, PAGE))
    written = [RunDirectory(path).report]
    write_text_atomically(written[0], text)
    if figures is not None:
        _make(figures)
        with drawing(PAPER):
            for one in run_page(files, PAPER).drawings:
                written += write_files(one, figures)
    return written


def write_comparison_report(path: Path, figures: Path | None = None) -> list[Path]:
    """Write the report of a comparison and its figure files; see `write_report`."""
    files = read_comparison(path)
    from mtl_core.report.comparison.page import comparison_page
    from mtl_core.report.figures.canvas import drawing, write_files
    from mtl_core.report.figures.palette import PAGE, PAPER
    from mtl_core.report.page import render

    with drawing(PAGE):
        text = render(comparison_page(files, PAGE))
    written = [path / REPORT]
    write_text_atomically(written[0], text)
    folder = figures or path / "figures"
    _make(folder)
    with drawing(PAPER):
        for one in comparison_page(files, PAPER).drawings:
            written += write_files(one, folder)
    return written


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MtlError(f"{folder}: cannot create the directory for figures: {error.strerror}") from error
