"""The commands `mtl absa …`. Commands import their modules when called, so that `--help` stays fast."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="absa",
    help="Aspect-based sentiment analysis: ratings from reviews.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _absa() -> None:
    """Aspect-based sentiment analysis: ratings from reviews."""


@app.command()
def rate(
    reviews: Annotated[
        Path, typer.Argument(metavar="REVIEWS", help="A .csv, .tsv, .jsonl or .parquet file, one review per row.")
    ],
    run: Annotated[
        Path, typer.Option(metavar="RUN", help="A run whose tasks detect whether a sentence mentions an aspect.")
    ],
    text: Annotated[str, typer.Option(metavar="COLUMN", help="The column with the review texts.")],
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column with the product names; default: all reviews together."),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A file to write: .html (a page), .csv, .json, .parquet, .png, .svg or .pdf. May be repeated.",
        ),
    ] = None,
    date: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column with the dates; adds changes over time.")
    ] = None,
    period: Annotated[
        Literal["month", "quarter", "year"], typer.Option(metavar="PERIOD", help="month, quarter or year.")
    ] = "month",
    date_format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="The format of dates, such as %d/%m/%Y; default: ISO 8601."),
    ] = None,
    min_mentions: Annotated[
        int, typer.Option(min=1, help="Minimum number of reviews that mention an aspect for a rating.")
    ] = 5,
    prior_reviews: Annotated[
        float, typer.Option(min=0, metavar="NUMBER", help="Weight of the overall mean in each rating, in reviews.")
    ] = 10.0,
    quotes: Annotated[int, typer.Option(min=0, max=20, help="Number of quotes for and against each rating.")] = 3,
    bad_rows: Annotated[
        Literal["refuse", "skip"],
        typer.Option(metavar="HOW", help="What to do with a row that cannot be read: refuse, or skip and count it."),
    ] = "refuse",
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHARACTER", help="The delimiter of a .csv file; default: detected.")
    ] = None,
    unquoted: Annotated[
        bool, typer.Option("--unquoted", help="Read quotation marks in a .csv file as ordinary characters.")
    ] = False,
    data_set: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The data set whose texts the reviews resemble, if the run has several."),
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "int8"],
        typer.Option(metavar="BITS", help="fp32, bf16 or int8; fewer bits are faster and change the last digits."),
    ] = "fp32",
    plugin: Annotated[
        list[str] | None,
        typer.Option("--plugin", metavar="PLUGIN", help="Load a module or a .py file as a plugin. May be repeated."),
    ] = None,
) -> None:
    """Rate products by aspect from customer reviews, as a table, a page or a chart.

    The same command resumes an interrupted job.
    """
    from mtl_core import MtlError
    from mtl_ratings.command import RateRequest, run_rate_command
    from mtl_ratings.settings import Columns, Settings

    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise MtlError(f"--delimiter {delimiter!r}: expected one character, such as ; or a tab")
    run_rate_command(
        RateRequest(
            reviews=reviews,
            run=run,
            out=out or [],
            columns=Columns(text, by, date, date_format, period),
            settings=Settings(min_mentions, prior_reviews, quotes),
            skip_bad_rows=bad_rows == "skip",
            delimiter=delimiter,
            quoted=not unquoted,
            data_set=data_set,
            precision=precision,
            plugins=plugin or [],
        )
    )
