"""Writing of model cards."""

from pathlib import Path

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.reporting.model_card.markdown import render_markdown
from mtl_core.reporting.model_card.read_card import read_card


def write_card(path: Path) -> Path:
    """Write the model card of a complete run into its directory.

    Returns:
        The path of the card.

    Raises:
        MtlError: If the run is not complete, a file is damaged, or the card cannot be written.
    """
    target = RunDirectory(path).model_card
    write_text_atomically(target, render_markdown(read_card(path)))
    return target
