"""`mtl new-plugin`: a command that does not import torch."""

from pathlib import Path

import typer

from mtl_core.scaffold.write_plugin import write_plugin


def new_plugin_command(name: str, parent_dir: Path | None) -> None:
    """Write a plugin, and print its files and the next commands."""
    target, *files = write_plugin(name, parent_dir or Path())
    typer.echo(f"{target}: written")
    for path in files:
        typer.echo(f"  {path.relative_to(target)}")
    typer.echo("next:")
    for line in (
        f"cd {target}",
        'pip install -e ".[test]"',
        f"mtl run {name} --out runs/first",
        "pytest",
    ):
        typer.echo(f"  {line}")
