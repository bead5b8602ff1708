"""Writing reports: the one place that is asked from outside. What draws is imported when something is drawn."""

from pathlib import Path

from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError
from mtl_core.report.read import read_run
from mtl_core.report.read_comparison import FILE as COMPARISON
from mtl_core.report.read_comparison import read_comparison
from mtl_core.runs.directory import RunDirectory

REPORT = "report.html"


def write_report(path: Path, figures: Path | None = None) -> list[Path]:
    """Write the report of a run or of a comparison into its folder.

    Args:
        path: The folder.
        figures: A folder for the figures as files fit for a paper; made if need be. Left out, only a comparison's
            are written, into `figures/` beside its report.

    Returns:
        What was written, the report first.

    Raises:
        MtlError: If the folder is neither, something in it is missing or damaged, or a file cannot be written.
    """
    if (path / COMPARISON).is_file():
        return write_comparison_report(path, figures)
    if path.is_dir() and not RunDirectory(path).config.is_file():
        raise MtlError(
            f"{path}: neither a run directory (it holds no {RunDirectory(path).config.name}) nor a comparison (it "
            f"holds no {COMPARISON})"
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
    """Write the report of a comparison, and its figures as files; see `write_report`."""
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
        raise MtlError(f"{folder}: the folder for figures cannot be made: {error.strerror}") from error
