"""The licence that a spaCy pipeline states, read without importing spaCy."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def describe_licence(name: str) -> list[str]:
    """Return a note about the licence of a pipeline's vectors, as stated in its `meta.json`.

    Args:
        name: An installed pipeline, or a folder. A `blank:` pipeline has no vectors, so there is no note.
    """
    if name.startswith("blank:"):
        return []
    for folder in _list_folders(name):
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            description = (
                f"{meta['lang']}_{meta['name']} {meta['version']}",
                str(meta.get("license") or "not stated"),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return [f"Word vectors come from the spaCy pipeline {description[0]}; its licence: {description[1]}."]
    return ["Word vectors come from a spaCy pipeline that states no licence."]


def _list_folders(name: str) -> Iterator[Path]:
    """Yield the folders that may contain a pipeline's files."""
    path = Path(name).expanduser()
    if path.is_dir():
        yield path
        return
    spec = find_spec(name) if name.isidentifier() else None
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        yield from sorted(file.parent for file in Path(location).glob("*/meta.json"))
        yield Path(location)
