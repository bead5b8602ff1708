"""Street scenes as files."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from mtl_core import MtlError
from mtl_street_scenes.build_corpus import list_labels
from mtl_street_scenes.scene import draw_scene


def write_scenes(folder: Path, n_scenes: int, seed: int, size: int) -> None:
    """Write scenes with all labels: `images/0000.png`, `masks/0000.png`, and the table `images/metadata.csv`.

    The loader `image-folder` reads the folder `images`. Its column `mask` contains the names of files in `masks`.

    Args:
        folder: The folder, which must be empty or not exist.
        n_scenes: Number of scenes.
        seed: The seed of the scenes.
        size: Width and height in pixels.

    Raises:
        MtlError: If the folder is not empty, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise MtlError(f"{folder}: is not empty; choose another folder")
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
        with (folder / "images" / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            for index in range(n_scenes):
                scene = draw_scene(index, seed, size)
                name = f"{index:0{len(str(n_scenes - 1))}}.png"
                Image.fromarray(scene.image).save(folder / "images" / name)
                Image.fromarray(scene.mask).save(folder / "masks" / name)
                row = {"file_name": name, **list_labels(scene), "mask": name}
                if not index:
                    writer.writerow(row)
                writer.writerow(row.values())
    except OSError as error:
        raise MtlError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
