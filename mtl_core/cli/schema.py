"""`mtl schema`: a command that does not import torch."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from mtl_core.atomic import write_text_atomically
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry


def schema_command(plugins: Sequence[str], output: Path | None) -> None:
    """Print or write the JSON Schema."""
    text = json.dumps(build_experiment_schema(Registry(load_plugins(plugins))), indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text_atomically(output, text)
        typer.echo(f"{output}: written; refer to it in a YAML file with `# yaml-language-server: $schema={output}`")
