"""The commands `mtl street-scenes …`. Commands import their modules when called, so that `--help` stays fast."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="street-scenes",
    help="Drawn street scenes with labels per image and per pixel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _street_scenes() -> None:
    """Drawn street scenes with labels per image and per pixel."""


@app.command()
def write(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An empty folder, or one that is created.")],
    scenes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of scenes.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes.")] = 0,
    size: Annotated[int, typer.Option(min=16, max=512, help="Width and height in pixels.")] = 64,
) -> None:
    """Write scenes as files that the loader `image-folder` reads: images, masks, and a table of labels."""
    from mtl_street_scenes.write_scenes import write_scenes

    write_scenes(folder, scenes, seed, size)
    typer.echo(f"{folder}: {scenes} scenes; their labels are in {folder / 'images' / 'metadata.csv'}")
