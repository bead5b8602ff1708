"""Write a model from Python as an experiment file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_core.api.data import Data
from mtl_core.atomic import write_text_atomically
from mtl_core.config.yaml_file import dump_yaml
from mtl_core.data.memory_tables import MemoryTables
from mtl_core.data.python_tables import Columns
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.python_parts import get_part_name
from mtl_core.plugins.registry import Registry, find_unregistered_parts

NO_DATA = "# This model was written without data: declare `data:` here, or with --set data=…\n"


def write_experiment(
    path: Path, value: Mapping[str, Any], parts: Sequence[object], plugins: Sequence[str], data: Data | None
) -> None:
    """Write a model as an experiment file; see `Model.to_yaml`.

    Args:
        path: The file.
        value: The experiment without its data.
        parts: The spec classes and modules that it uses.
        plugins: Further plugins.
        data: The data.

    Raises:
        MtlError: If the file exists, a part has no name, or the data cannot be written.
    """
    if path.suffix not in {".yaml", ".yml"}:
        raise MtlError(f"{path}: expected the path of an experiment file, whose name ends in .yaml")
    if path.exists():
        raise MtlError(f"{path}: exists already; choose another path")
    unregistered = find_unregistered_parts(Registry(load_plugins(plugins)), parts)
    if unregistered:
        name = get_part_name(unregistered[0])
        raise MtlError(
            f"{path}: {name} has no name that YAML could use, since no plugin registers it; put it into a plugin "
            "(`mtl new-plugin NAME` writes one) and hand in `plugins=['NAME']`"
        )
    content = {**value}
    if plugins:
        content["plugins"] = list(plugins)
    files: dict[Path, str] = {}
    if data is not None:
        content |= data.build_blocks()
        content["data"] = _write_tables(path, content["data"], files)
    header = "" if "data" in content or content.get("data_sets") else NO_DATA
    for file, text in files.items():
        write_text_atomically(file, text)
    write_text_atomically(path, header + dump_yaml(content))


def _write_tables(path: Path, loader: Mapping[str, Any], files: dict[Path, str]) -> dict[str, Any]:
    """Return the block of the loader that reads the data from files; tables in memory are added to `files`."""
    tables = loader.get("tables")
    if not isinstance(tables, MemoryTables):
        names = ("train", "validation", "test")
        return {**loader, **{name: str(Path(loader[name]).resolve()) for name in names if loader.get(name)}}
    block: dict[str, Any] = {"type": "table"}
    for split_name, columns in tables.splits.items():
        file = path.with_name(f"{path.stem}-{split_name}.jsonl")
        if file.exists():
            raise MtlError(f"{file}: exists already; choose another path than {path}")
        _check_images(columns, loader["inputs"], split_name)
        files[file] = _format_json_lines(columns, split_name)
        block[split_name] = file.name
    keys = ("inputs", "labels", "metadata", "id", "split", "weights", "missing")
    return block | {key: loader[key] for key in keys if loader.get(key)}


def _check_images(columns: Columns, input_types: Mapping[str, str], split_name: str) -> None:
    for name, column_type in input_types.items():
        is_written = column_type != "image" or all(isinstance(cell, str | None) for cell in columns[name])
        if not is_written:
            raise MtlError(
                f"{split_name} table, column '{name}': images in memory cannot be written as JSON Lines; save them as "
                "files, and hand in their paths"
            )


def _format_json_lines(columns: Columns, split_name: str) -> str:
    lines = []
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        record = {
            name: cell.tolist() if hasattr(cell, "tolist") else cell for name, cell in zip(columns, cells, strict=True)
        }
        try:
            lines.append(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        except (TypeError, ValueError) as error:
            raise MtlError(f"{split_name} table, row {row}: cannot be written as JSON: {error}") from error
    return "".join(lines)
