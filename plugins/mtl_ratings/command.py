"""The command `mtl absa rate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mtl_core import MtlError
from mtl_ratings.settings import Columns, Settings

if TYPE_CHECKING:
    from mtl_core.runs import Precision


@dataclass(frozen=True)
class RateRequest:
    """The parsed command line.

    Attributes:
        reviews: The file of reviews.
        run: The run directory.
        out: The files to write.
        columns: The names of the columns.
        settings: How ratings are computed.
        skip_bad_rows: Whether rows that cannot be read are skipped and counted; otherwise they are errors.
        delimiter: The delimiter of CSV files; None detects it from the header.
        quoted: Whether quotation marks enclose cells of CSV files.
        data_set: The data set whose texts the reviews resemble, if the run has several.
        precision: The numeric precision of the network.
        plugins: Additional plugins.
    """

    reviews: Path
    run: Path
    out: Sequence[Path]
    columns: Columns
    settings: Settings
    skip_bad_rows: bool = False
    delimiter: str | None = None
    quoted: bool = True
    data_set: str | None = None
    precision: Precision = "fp32"
    plugins: Sequence[str] = ()


def run_rate_command(request: RateRequest) -> None:
    """Rate the reviews, print the table and write the files."""
    from mtl_ratings.readers.open_reviews import open_reviews
    from mtl_ratings.scan import scan_reviews
    from mtl_ratings.writers import check_outputs

    check_outputs(request.out)
    file = open_reviews(request.reviews, request.columns.names, request.delimiter, request.quoted)
    scan = scan_reviews(file, request.columns, request.skip_bad_rows)

    from mtl_core.runs import convert_precision, iterate_predictions, load_run
    from mtl_ratings.aspects import find_aspects
    from mtl_ratings.pipeline import run_pipeline
    from mtl_ratings.provenance import Provenance, compute_fingerprint, load_disclaimer
    from mtl_ratings.resumable_state import ResumableState
    from mtl_ratings.reviews import read_valid_reviews
    from mtl_ratings.sums import Sums
    from mtl_ratings.terminal import RatingProgress, print_ratings
    from mtl_ratings.writers import write_ratings

    saved_run = convert_precision(load_run(request.run, request.plugins), request.precision)
    aspects = find_aspects(saved_run, request.data_set)
    for reason in aspects.exclusions:
        typer.echo(f"note: left out: {reason}", err=True)
    resumable_state = None
    if request.out:
        job = {
            "input": scan.fingerprint,
            "run": compute_fingerprint(request.run),
            "columns": asdict(request.columns),
            "read": [request.delimiter, request.quoted, request.data_set, request.precision],
            "quotes": request.settings.quotes,
        }
        resumable_state = ResumableState(request.out[0].with_name(f"{request.out[0].name}.progress"), job)
    sums = (resumable_state.load() if resumable_state else None) or Sums(request.settings.quotes)
    if sums.reviews:
        typer.echo(f"resuming after review {sums.reviews} of {scan.n_reviews}", err=True)
    with (
        _handle_interrupt(resumable_state),
        RatingProgress(Console(stderr=True), scan.n_reviews, sums.reviews) as progress,
    ):
        ratings = run_pipeline(
            read_valid_reviews(file, request.columns),
            partial(iterate_predictions, saved_run, data_set=request.data_set),
            aspects.names,
            request.settings,
            sums,
            resumable_state,
            progress.update,
        )
    if ratings.reviews != scan.n_reviews:
        raise MtlError(f"{request.reviews}: the file changed while it was being read")
    provenance = Provenance(
        request.reviews.name, request.columns, scan, saved_run.config.name, load_disclaimer(request.run)
    )
    for path in request.out:
        write_ratings(ratings, provenance, path)
    if resumable_state is not None:
        resumable_state.remove()
    print_ratings(Console(), ratings, provenance)
    for path in request.out:
        typer.echo(f"written: {path}")


@contextmanager
def _handle_interrupt(resumable_state: object) -> Iterator[None]:
    """Print how to resume after Ctrl-C; Typer exits without a message."""
    try:
        yield
    except KeyboardInterrupt:
        hint = "; the same command resumes the job" if resumable_state is not None else ""
        typer.echo(f"interrupted{hint}", err=True)
        raise typer.Exit(130) from None
