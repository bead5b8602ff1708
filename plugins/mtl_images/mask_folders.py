"""The spec of the loader of folders of images and masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtl_core import InputPath, LoaderSpec

if TYPE_CHECKING:
    from mtl_core import Corpus


class MaskFolders(LoaderSpec):
    """Folders with one subfolder of images and one of masks per label column; files of one name belong together.

    This is the layout in which NYUv2 and Cityscapes are often prepared: `train/image/17.npy`, `train/label/17.npy`,
    `train/depth/17.npy`. Images and masks are image files or arrays (`.npy`). An image without a mask in a subfolder
    has no label for that column.
    """

    type: Literal["mask-folders"] = "mask-folders"
    train: InputPath
    """The folder of the training data."""
    validation: InputPath | None = None
    """The folder of the validation data; without it, validation data is split off the training data."""
    test: InputPath | None = None
    """The folder of the test data."""
    images: str = Field(default="image", min_length=1)
    """The name of the subfolder of images."""
    labels: dict[str, str] = Field(min_length=1)
    """Label column to the name of its subfolder of masks."""

    def load(self) -> Corpus:
        """List the files of all folders, without reading them.

        Raises:
            MtlError: If a folder is missing, contains no image, or no mask belongs to an image.
        """
        from mtl_images.read_mask_folders import build_corpus

        folders = {"train": self.train, "validation": self.validation, "test": self.test}
        present: Mapping[str, Path] = {name: path for name, path in folders.items() if path is not None}
        return build_corpus(present, self.images, self.labels)

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another folder of this layout, or one image.

        Raises:
            MtlError: If the folder contains no image.
        """
        from mtl_images.read_mask_folders import build_corpus

        return build_corpus({"test": path}, self.images, self.labels)

    def from_text(self, text: str) -> str:
        """Return the path of an image."""
        return text.strip()
