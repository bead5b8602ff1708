"""Folders of images as corpora."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core import Corpus, MtlError, did_you_mean, join_names
from mtl_images.read_metadata import METADATA_NAMES, read_metadata

if TYPE_CHECKING:
    from mtl_core import Label

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass
class FolderImages:
    """The images of a folder.

    Attributes:
        paths: Name of each image in the folder, with `/` between its parts, to its path.
        labels: Label column to the label of each image, by name; a missing label has no entry.
        warnings: Warnings about files that are not used.
    """

    paths: dict[str, Path]
    labels: dict[str, dict[str, Label]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def build_corpus(folders: Mapping[str, Path], label: str) -> Corpus:
    """Build a corpus from one folder per split; the path may also be that of a single image.

    Args:
        folders: Split to folder.
        label: The name of the label column that subfolders define.

    Raises:
        MtlError: If a path is no folder, contains no image, or its table is malformed.
    """
    by_split: dict[Any, FolderImages] = {split: read_folder(path, label) for split, path in folders.items()}
    columns = dict.fromkeys(column for images in by_split.values() for column in images.labels)
    return Corpus(
        ids=[name for images in by_split.values() for name in images.paths],
        inputs=[str(path) for images in by_split.values() for path in images.paths.values()],
        labels={
            column: [images.labels.get(column, {}).get(name) for images in by_split.values() for name in images.paths]
            for column in columns
        },
        splits=[split for split, images in by_split.items() for _ in images.paths],
        locations=[str(path) for images in by_split.values() for path in images.paths.values()],
        groups=[str(path) for images in by_split.values() for path in images.paths.values()],
        warnings=[warning for images in by_split.values() for warning in images.warnings],
    )


def read_folder(folder: Path, label: str) -> FolderImages:
    """List the images of a folder and its subfolders, sorted by name, with their labels.

    Raises:
        MtlError: If the path is no folder, contains no image, or its table is malformed.
    """
    if folder.is_file():
        return FolderImages({folder.name: folder})
    if not folder.is_dir():
        raise MtlError(f"{folder}: no such folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder)))
    images = FolderImages(
        {path.relative_to(folder).as_posix(): path for path in files if path.suffix.lower() in EXTENSIONS}
    )
    others = [path for path in files if path.suffix.lower() not in EXTENSIONS and path.name not in METADATA_NAMES]
    if not images.paths:
        raise MtlError(f"{folder}: contains no image (extensions: {join_names(EXTENSIONS)})")
    if others:
        images.warnings.append(
            f"{folder}: files without the extension of an image are not used: {len(others)}, such as {others[0].name}"
        )
    tables = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if len(tables) > 1:
        raise MtlError(f"{folder}: contains {join_names([table.name for table in tables])}, expected one of them")
    if tables:
        _add_table_labels(images, tables[0])
    else:
        images.labels[label] = {name: name.split("/")[0] for name in images.paths if "/" in name}
    return images


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _add_table_labels(images: FolderImages, table: Path) -> None:
    for row in read_metadata(table):
        if row.file_name not in images.paths:
            hint = did_you_mean(row.file_name, images.paths)
            raise MtlError(f"{row.location}: the folder contains no image '{row.file_name}'{hint}")
        for column, value in row.labels.items():
            labels = images.labels.setdefault(column, {})
            if row.file_name in labels:
                raise MtlError(f"{row.location}: a second row for '{row.file_name}'")
            if value is not None:
                labels[row.file_name] = value
    unlabelled = [name for name in images.paths if not any(name in labels for labels in images.labels.values())]
    if len(unlabelled) == len(images.paths):
        raise MtlError(f"{table}: contains no label")
