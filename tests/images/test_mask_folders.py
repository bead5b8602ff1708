"""Folders of images and masks, and the packaged experiment on NYUv2 with generated files of its layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import write_image
from nyuv2_files import COLUMNS, SIZE, write_nyuv2

from mtl_core import Corpus, MtlError
from mtl_images.image import Image
from mtl_images.mask_folders import MaskFolders

LABELS = {"segmentation": "label", "depth": "depth"}
SMALL = [
    "--set", f"encoder.size=[{SIZE[0]}, {SIZE[1]}]", "--set", "training.epochs=1", "--set", "training.batch_size=4",
    "--set", "backbone.channels=[8, 8]", "--set", "backbone.blocks=1", "--set", "heads.pixels.hidden_dim=8",
]  # fmt: skip
"""Overrides of the packaged experiment for small images."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nyuv2(tmp_path_factory.mktemp("nyuv2"), train=12)


def load(folder: Path, **keys: Any) -> Corpus:
    return MaskFolders(**{"train": folder / "train", "labels": LABELS, **keys}).load()


def test_files_of_one_name_belong_together_in_numeric_order(data: Path) -> None:
    corpus = load(data, test=data / "val")
    assert corpus.ids == [str(number) for number in range(12)] + ["0", "1", "2"]
    assert corpus.inputs[10] == str(data / "train" / "image" / "10.npy")
    assert corpus.labels["depth"][10] == str(data / "train" / "depth" / "10.npy")
    assert corpus.labels["segmentation"][12] == str(data / "val" / "label" / "0.npy")
    assert list(corpus.splits) == ["train"] * 12 + ["test"] * 3
    assert corpus.locations[3] == corpus.inputs[3]


def test_images_without_a_mask_have_no_label(tmp_path: Path) -> None:
    folder = write_nyuv2(tmp_path, train=4)
    (folder / "train" / "depth" / "2.npy").unlink()
    np.save(folder / "train" / "depth" / "99.npy", np.zeros((*SIZE, 1)))
    (folder / "train" / "depth" / "notes.txt").write_text("not a mask")
    corpus = load(folder)
    assert [label is None for label in corpus.labels["depth"]] == [False, False, True, False]
    assert corpus.warnings == [f"{folder / 'train' / 'depth'}: 1 masks belong to no image, such as 99"]


def test_images_and_masks_may_have_different_extensions(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "rgb" / "a.jpg")
    write_image(tmp_path / "train" / "seg" / "a.png", color=1, mode="L")
    corpus = MaskFolders(train=tmp_path / "train", images="rgb", labels={"seg": "seg"}).load()
    assert corpus.labels["seg"] == [str(tmp_path / "train" / "seg" / "a.png")]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"images": "images"}, r"train: contains no folder 'images'; did you mean 'image'\?"),
        ({"labels": {"depth": "deph"}}, r"contains no folder 'deph'; did you mean 'depth'\? \(folders: depth, image"),
        ({"train": Path("/none")}, r"/none: no such folder"),
    ],
)
def test_wrong_folders_are_refused_by_name(data: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(MtlError, match=message):
        load(data, **keys)


def test_names_that_match_no_image_are_refused(tmp_path: Path) -> None:
    folder = write_nyuv2(tmp_path, train=2)
    for path in list((folder / "train" / "depth").iterdir()):
        path.rename(path.with_name(f"depth-{path.name}"))
    with pytest.raises(MtlError, match=r"depth: no file has the name of an image of .*, such as 0 \(2 files, such as"):
        load(folder)
    write_image(folder / "train" / "image" / "0.png")
    with pytest.raises(MtlError, match=r"0.png: 0.npy has the same name"):
        load(folder)


def test_the_encoder_reads_arrays_on_disk(data: Path, tmp_path: Path) -> None:
    reader = Image(size=list(SIZE)).build()
    path = data / "train" / "image" / "0.npy"
    [image] = reader.parse([str(path)])
    assert image.shape == (3, *SIZE)  # type: ignore[union-attr]
    assert np.abs(image.transpose(1, 2, 0) / 255 - np.load(path)).max() <= 0.5 / 255 + 1e-9  # type: ignore[union-attr]
    (tmp_path / "text.npy").write_text("text")
    np.save(tmp_path / "wrong.npy", np.full((*SIZE, 3), 7.0))
    np.save(tmp_path / "large.npy", np.zeros((8, 8), dtype=np.uint8))
    with pytest.raises(MtlError, match=r"none.npy: no such image"):
        reader.parse([str(tmp_path / "none.npy")])
    with pytest.raises(MtlError, match=r"text.npy: not an array"):
        reader.parse([str(tmp_path / "text.npy")])
    with pytest.raises(MtlError, match=r"wrong.npy: .* values from 7.0 to 7.0"):
        reader.parse([str(tmp_path / "wrong.npy")])
    with pytest.raises(MtlError, match=r"large.npy: an array of 64 values; .* .`max_megapixels`"):
        Image(size=[8, 8], max_megapixels=0.00001).build().parse([str(tmp_path / "large.npy")])


def test_the_packaged_experiment_trains_on_files_of_its_layout(data: Path, tmp_path: Path, mtl: Any) -> None:
    folders = ["--set", f"data.train={data / 'train'}", "--set", f"data.test={data / 'val'}"]
    result = mtl("run", "nyuv2", *folders, *SMALL, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]["test"]["tasks"]
    assert scores.keys() == {"segmentation", "depth", "normal"}
    labels = np.stack([np.load(data / "val" / "label" / f"{number}.npy") for number in range(3)])
    assert {name: score["n"] for name, score in scores.items()} == dict.fromkeys(scores, int((labels >= 0).sum()))
    assert {"mean_iou", "pixel_accuracy"} <= scores["segmentation"].keys()
    assert {"mae", "abs_rel"} <= scores["depth"].keys()
    assert {"angle_error", "within_11_25", "within_22_5", "within_30"} <= scores["normal"].keys()
    predicted = np.load(tmp_path / "run" / "predicted_masks" / "depth" / "000001.npy")
    assert predicted.shape == SIZE
    assert len(list((tmp_path / "run" / "predicted_masks" / "segmentation").iterdir())) == 3
    out = tmp_path / "masks"
    image = data / "val" / "image" / "1.npy"
    result = mtl("predict", tmp_path / "run", image, "--json", "--masks", out)
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["tasks"]["segmentation"]["label"] == str(out / "segmentation" / "000001.png")
    assert (out / "segmentation" / "000001.png").read_bytes() == (
        tmp_path / "run" / "predicted_masks" / "segmentation" / "000002.png"
    ).read_bytes()
    assert "24 x 32 pixels" in mtl("predict", tmp_path / "run", image).stdout
    assert mtl("evaluate", tmp_path / "run", "--data", data / "val").returncode == 0


def test_a_mask_of_another_size_is_refused_before_training(tmp_path: Path, mtl: Any) -> None:
    data = write_nyuv2(tmp_path / "data", train=6)
    wrong = data / "val" / COLUMNS[2] / "1.npy"
    np.save(wrong, np.zeros((5, 5, 1)))
    folders = ["--set", f"data.train={data / 'train'}", "--set", f"data.test={data / 'val'}"]
    result = mtl("run", "nyuv2", *folders, *SMALL, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert f"{wrong}: a mask of 5 x 5 pixels (height x width)" in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()
