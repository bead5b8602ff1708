"""A few generated files in the layout of the preprocessed NYUv2 data set."""

from pathlib import Path

import numpy as np

SIZE = (24, 32)
COLUMNS = ("image", "label", "depth", "normal")


def write_nyuv2(folder: Path, train: int = 10, test: int = 3, size: tuple[int, int] = SIZE) -> Path:
    """Write `train` and `val` with numbered arrays: floats from 0 to 1, classes with -1, depths and normals with 0."""
    random = np.random.default_rng(0)
    for split, n_images in (("train", train), ("val", test)):
        for name in COLUMNS:
            (folder / split / name).mkdir(parents=True)
        for number in range(n_images):
            label = np.repeat(np.repeat(random.integers(0, 13, (3, 4)), size[0] // 3, 0), size[1] // 4, 1)
            shade = label[:, :, None] / 13 + random.normal(0, 0.02, (*size, 3))
            depth = 1 + label[:, :, None] / 3.0
            normal = np.stack([np.cos(label), np.sin(label), np.zeros_like(label)], axis=-1).astype(float)
            unlabelled = random.random(size) < 0.1
            arrays = {
                "image": shade.clip(0, 1),
                "label": np.where(unlabelled, -1.0, label),
                "depth": np.where(unlabelled[:, :, None], 0.0, depth),
                "normal": np.where(unlabelled[:, :, None], 0.0, normal),
            }
            for name, array in arrays.items():
                np.save(folder / split / name / f"{number}.npy", array)
    return folder
