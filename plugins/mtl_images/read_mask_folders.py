"""Folders of images and masks as corpora."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core import Corpus, MtlError, did_you_mean, join_names
from mtl_images.array_files import ARRAY_SUFFIX
from mtl_images.read_folder import EXTENSIONS

if TYPE_CHECKING:
    from mtl_core import Label

SUFFIXES = (*EXTENSIONS, ARRAY_SUFFIX)


@dataclass(frozen=True)
class MaskedImages:
    """The images of a folder with their masks.

    Attributes:
        images: Name of each image, without its extension, to its path.
        masks: Label column to the mask of each image, by name.
        warnings: Warnings about files that are not used.
    """

    images: Mapping[str, Path]
    masks: Mapping[str, Mapping[str, Path]]
    warnings: list[str]


def build_corpus(folders: Mapping[str, Path], images: str, labels: Mapping[str, str]) -> Corpus:
    """Build a corpus from one folder per split; the path may also be that of a single image.

    Args:
        folders: Split to folder.
        images: The name of the subfolder of images.
        labels: Label column to the name of its subfolder of masks.

    Raises:
        MtlError: If a folder is missing, contains no image, or no mask belongs to an image.
    """
    by_split: dict[Any, MaskedImages] = {split: _read_folder(path, images, labels) for split, path in folders.items()}
    paths = [path for masked in by_split.values() for path in masked.images.values()]
    columns: dict[str, list[Label | None]] = {
        column: [
            str(masked.masks[column][name]) if name in masked.masks[column] else None
            for masked in by_split.values()
            for name in masked.images
        ]
        for column in labels
    }
    return Corpus(
        ids=[name for masked in by_split.values() for name in masked.images],
        inputs=[str(path) for path in paths],
        labels=columns,
        splits=[split for split, masked in by_split.items() for _ in masked.images],
        locations=[str(path) for path in paths],
        groups=[str(path) for path in paths],
        warnings=[warning for masked in by_split.values() for warning in masked.warnings],
    )


def _read_folder(folder: Path, images: str, labels: Mapping[str, str]) -> MaskedImages:
    if folder.is_file():
        return MaskedImages({folder.stem: folder}, {column: {} for column in labels}, [])
    image_files = _list_files(folder, images)
    if not image_files:
        raise MtlError(f"{folder / images}: contains no image (extensions: {join_names(SUFFIXES)})")
    masks, warnings = {}, []
    for column, subfolder in labels.items():
        files = _list_files(folder, subfolder)
        masks[column] = {name: path for name, path in files.items() if name in image_files}
        unused = [name for name in files if name not in image_files]
        if not masks[column]:
            raise MtlError(
                f"{folder / subfolder}: no file has the name of an image of {folder / images}, such as "
                f"{next(iter(image_files))} ({len(files)} files{f', such as {unused[0]}' if unused else ''})"
            )
        if unused:
            warnings.append(f"{folder / subfolder}: {len(unused)} masks belong to no image, such as {unused[0]}")
    return MaskedImages(image_files, masks, warnings)


def _list_files(folder: Path, subfolder: str) -> dict[str, Path]:
    """Return the files of a subfolder by name without extension, in the order of the numbers in their names.

    Raises:
        MtlError: If there is no such subfolder, or two files have one name.
    """
    if not folder.is_dir():
        raise MtlError(f"{folder}: no such folder")
    path = folder / subfolder
    if not path.is_dir():
        names = sorted(child.name for child in folder.iterdir() if child.is_dir())
        raise MtlError(
            f"{folder}: contains no folder '{subfolder}'{did_you_mean(subfolder, names)} (folders: {join_names(names)})"
        )
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir(), key=_build_sort_key):
        if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
            continue
        if file.stem in files:
            raise MtlError(f"{file}: {files[file.stem].name} has the same name, but names without extension are unique")
        files[file.stem] = file
    return files


def _build_sort_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts 2 before 10."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], path.name
