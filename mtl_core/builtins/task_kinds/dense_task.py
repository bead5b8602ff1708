"""What task kinds with one label per pixel have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.task_kinds.unique_names import UniqueNamesSpec
from mtl_core.config.paths import InputPath
from mtl_core.plugins.specs import Level

if TYPE_CHECKING:
    from mtl_core.data.masks import MaskReader


class DenseTaskSpec(UniqueNamesSpec):
    """Base class: the keys of both kinds. A label is a mask: the path of an image or array, or an array in memory."""

    level: ClassVar[Level] = "pixel"
    folder: InputPath | None = None
    """The folder that relative paths of masks start at; null means the working directory."""
    resize: Literal["nearest"] | None = None
    """How masks of another size than the images are resized; null means that they are errors."""

    def build_reader(self, channels: int = 1) -> MaskReader:
        """Build the reader of the masks."""
        from mtl_core.data.masks import MaskReader

        return MaskReader(self.folder, channels, self.resize is not None)
