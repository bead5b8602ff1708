"""The command `mtl absa rate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from absa_plugin.rating.settings import Columns, Settings
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision


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


def rate_command(request: RateRequest) -> None:
    """Rate the reviews, print the table and write the files."""
    from absa_plugin.rating.files import open_reviews
    from absa_plugin.rating.outputs import check_outputs
    from absa_plugin.rating.reviews import survey

    check_outputs(request.out)
    file = open_reviews(request.reviews, request.columns.names, request.delimiter, request.quoted)
    found = survey(file, request.columns, request.skip_bad_rows)

    from absa_plugin.rating.aspects import aspects_of
    from absa_plugin.rating.kept import KeptSums
    from absa_plugin.rating.origin import Origin, fingerprint_of, notice_of
    from absa_plugin.rating.outputs import write_ratings
    from absa_plugin.rating.rate import add_up
    from absa_plugin.rating.ratings import ratings_of
    from absa_plugin.rating.reviews import good_reviews
    from absa_plugin.rating.sums import Sums
    from absa_plugin.rating.terminal import RatingProgress, print_ratings
    from mtl_core.runs.precision import in_precision
    from mtl_core.runs.predict import answers
    from mtl_core.runs.saved import load_run

    saved = in_precision(load_run(request.run, request.plugins), request.precision)
    aspects = aspects_of(saved, request.data_set)
    for reason in aspects.left_out:
        typer.echo(f"note: left out: {reason}", err=True)
    kept = None
    if request.out:
        job = {
            "input": found.fingerprint,
            "run": fingerprint_of(request.run),
            "columns": asdict(request.columns),
            "read": [request.delimiter, request.quoted, request.data_set, request.precision],
            "quotes": request.settings.quotes,
        }
        kept = KeptSums(request.out[0].with_name(f"{request.out[0].name}.progress"), job)
    sums = (kept.load() if kept else None) or Sums(request.settings.quotes)
    if sums.reviews:
        typer.echo(f"resuming after review {sums.reviews} of {found.reviews}", err=True)
    with _interruptible(kept), RatingProgress(Console(stderr=True), found.reviews, sums.reviews) as progress:
        add_up(
            good_reviews(file, request.columns),
            lambda questions: answers(saved, questions, data_set=request.data_set),
            aspects.names,
            sums,
            kept,
            progress.told,
        )
    if sums.reviews != found.reviews:
        raise MtlError(f"{request.reviews}: the file changed while it was being read")
    ratings = ratings_of(sums, aspects.names, request.settings)
    origin = Origin(request.reviews.name, request.columns, found, saved.config.name, notice_of(request.run))
    for path in request.out:
        write_ratings(ratings, origin, path)
    if kept is not None:
        kept.remove()
    print_ratings(Console(), ratings, origin)
    for path in request.out:
        typer.echo(f"written: {path}")


@contextmanager
def _interruptible(kept: object) -> Iterator[None]:
    """Print how to resume after Ctrl-C; Typer exits without a message."""
    try:
        yield
    except KeyboardInterrupt:
        hint = "; the same command resumes the job" if kept is not None else ""
        typer.echo(f"interrupted{hint}", err=True)
        raise typer.Exit(130) from None
