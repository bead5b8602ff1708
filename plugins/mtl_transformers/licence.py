"""The licence in the model card of a model."""

from __future__ import annotations

import re
from pathlib import Path

from mtl_core import MtlError
from mtl_transformers.find_model import PACKAGED_MODELS, find_model

_LICENCE_FIELD = re.compile(r"\A---\n(?:.*\n)*?licen[sc]e: *([^\n]+)\n", re.MULTILINE)


def describe_model_licence(name: Path | str) -> list[str]:
    """Return a note on the licence of a model's weights, without access to the hub.

    Args:
        name: A path, the name of a packaged model, or a name on the hub.
    """
    if isinstance(name, str) and name not in PACKAGED_MODELS:
        return [f"Weights come from the model {name} of the Hugging Face hub; see its page there for the licence."]
    try:
        card = (find_model(name) / "README.md").read_text(encoding="utf-8", errors="replace")
    except (MtlError, OSError):
        card = ""
    match = _LICENCE_FIELD.search(card)
    licence = match[1].strip() if match else "not stated"
    return [f"Weights come from the model {name if isinstance(name, str) else name.name}; its licence: {licence}."]
