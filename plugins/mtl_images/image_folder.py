"""The spec of the loader of image folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtl_core import InputPath, LoaderSpec

if TYPE_CHECKING:
    from mtl_core import Corpus


class ImageFolder(LoaderSpec):
    """Folders of images, labelled by their subfolders or by a table.

    With a file `metadata.csv` or `metadata.jsonl` in a folder, its column `file_name` names images by their path in
    the folder, and every other column contains labels. Without one, the images of each subfolder have its name as
    their label.
    """

    type: Literal["image-folder"] = "image-folder"
    train: InputPath
    """The folder of training images."""
    validation: InputPath | None = None
    """The folder of validation images; without it, validation data is split off the training images."""
    test: InputPath | None = None
    """The folder of test images."""
    label: str = Field(default="label", min_length=1)
    """The name of the label column that subfolders define."""

    def load(self) -> Corpus:
        """List the images of all folders, without reading them.

        Raises:
            MtlError: If a path is no folder, contains no image, or its table is malformed.
        """
        from mtl_images.read_folder import build_corpus

        folders = {"train": self.train, "validation": self.validation, "test": self.test}
        return build_corpus({name: path for name, path in folders.items() if path is not None}, self.label)

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another folder, or a single image file.

        Raises:
            MtlError: If the folder contains no image, or its table is malformed.
        """
        from mtl_images.read_folder import build_corpus

        return build_corpus({"test": path}, self.label)

    def from_text(self, text: str) -> str:
        """Return the path of an image, or an image as a data URL (`data:image/png;base64,...`)."""
        return text.strip()
