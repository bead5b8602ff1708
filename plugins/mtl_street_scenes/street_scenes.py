"""The spec of the loader of street scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import LoaderSpec
from mtl_street_scenes.limits import MAX_SCENES

if TYPE_CHECKING:
    from mtl_core import Corpus


class StreetScenes(LoaderSpec):
    """Street scenes with pedestrians, vehicles, traffic lights and stop signs, drawn when they are loaded.

    An input is an image `(size, size, 3)`, uint8. For each kind of object there are two columns: `pedestrian`
    (`present` or `absent`) and `pedestrian-count`. The column `mask` contains one class per pixel. Most labels of
    training scenes are removed, each with the same probability; test scenes keep all labels.
    """

    type: Literal["street-scenes"] = "street-scenes"
    scenes: Annotated[int, Field(ge=1, le=MAX_SCENES)] = 3600
    """Number of training scenes."""
    test_scenes: Annotated[int, Field(ge=0, le=MAX_SCENES)] = 1000
    """Number of test scenes; they are the same for any number of training scenes."""
    size: Annotated[int, Field(ge=16, le=512)] = 64
    """Width and height in pixels."""
    label_fraction: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Share of the training labels of each column that is kept."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the scenes and of the labels that are kept."""

    def load(self) -> Corpus:
        """Draw the scenes."""
        from mtl_street_scenes.build_corpus import build_corpus

        return build_corpus(self.scenes, self.test_scenes, self.size, self.label_fraction, self.seed)

    def from_text(self, text: str) -> str:
        """Return the path of an image, or an image as a data URL (`data:image/png;base64,...`)."""
        return text.strip()
