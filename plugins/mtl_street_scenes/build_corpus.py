"""Street scenes as a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtl_core import Corpus
from mtl_core.data import Mask
from mtl_street_scenes.classes import KINDS
from mtl_street_scenes.limits import MAX_SCENES
from mtl_street_scenes.scene import Scene, draw_scene

if TYPE_CHECKING:
    from mtl_core import Label
    from mtl_core.data import SplitName

DISCLAIMER = "drawn street scenes, not photographs"


def build_corpus(n_train: int, n_test: int, size: int, label_fraction: float, seed: int) -> Corpus:
    """Draw scenes, and remove labels of training scenes.

    Args:
        n_train: Number of training scenes.
        n_test: Number of test scenes, which keep all labels.
        size: Width and height in pixels.
        label_fraction: Probability that a label of a training scene is kept; each is drawn separately.
        seed: The seed of the scenes and of the labels that are kept.
    """
    indices = [*range(n_train), *range(MAX_SCENES, MAX_SCENES + n_test)]
    scenes = [draw_scene(index, seed, size) for index in indices]
    rows = [list_labels(scene) for scene in scenes]
    columns = list(rows[0])
    is_labelled = np.random.default_rng(seed).random((n_train, len(columns))) < label_fraction
    for row, has_label in zip(rows, is_labelled, strict=False):
        row.update({column: None for column, is_present in zip(columns, has_label, strict=True) if not is_present})
    names = [f"scene-{index}" for index in indices]
    splits: list[SplitName] = ["train"] * n_train
    splits += ["test"] * n_test
    return Corpus(
        ids=names,
        inputs=[scene.image for scene in scenes],
        labels={column: [row[column] for row in rows] for column in columns},
        splits=splits,
        groups=names,  # scenes differ, and comparing images would cost memory
        disclaimer=DISCLAIMER,
    )


def list_labels(scene: Scene) -> dict[str, Label | None]:
    """Return the labels of a scene by column: presence and count of each kind of object, and the mask."""
    labels: dict[str, Label | None] = {kind: "present" if scene.counts[kind] else "absent" for kind in KINDS}
    labels |= {f"{kind}-count": scene.counts[kind] for kind in KINDS}
    labels["mask"] = Mask(scene.mask)
    return labels
