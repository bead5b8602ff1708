"""The loader of street scenes, and the command that writes them."""

import csv
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from mtl_core import Corpus
from mtl_core.data import Mask
from mtl_street_scenes.classes import CLASSES, KINDS
from mtl_street_scenes.scene import draw_scene
from mtl_street_scenes.street_scenes import StreetScenes

Mtl = Callable[..., CompletedProcess[str]]
COLUMNS = {*KINDS, *(f"{kind}-count" for kind in KINDS), "mask"}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return StreetScenes(scenes=300, test_scenes=20, size=16).load()


def test_columns_agree_with_the_scenes() -> None:
    corpus = StreetScenes(scenes=4, test_scenes=2, label_fraction=1, seed=5).load()
    assert set(corpus.labels) == COLUMNS
    for row in range(4):
        scene = draw_scene(row, seed=5)
        np.testing.assert_array_equal(corpus.inputs[row], scene.image)
        mask = corpus.labels["mask"][row]
        assert isinstance(mask, Mask)
        np.testing.assert_array_equal(mask.array, scene.mask)
        for kind in KINDS:
            assert corpus.labels[f"{kind}-count"][row] == scene.counts[kind]
            assert corpus.labels[kind][row] == ("present" if scene.counts[kind] else "absent")


def test_two_thirds_of_the_training_labels_are_removed_independently(corpus: Corpus) -> None:
    train = [row for row, split in enumerate(corpus.splits) if split == "train"]
    is_labelled = np.array([[corpus.labels[column][row] is not None for column in sorted(COLUMNS)] for row in train])
    assert len(train) == 300
    np.testing.assert_allclose(is_labelled.mean(axis=0), 1 / 3, atol=0.1)
    assert np.abs(np.corrcoef(is_labelled.T) - np.eye(len(COLUMNS))).max() < 0.2


def test_test_scenes_keep_all_labels(corpus: Corpus) -> None:
    test = [row for row, split in enumerate(corpus.splits) if split == "test"]
    assert len(test) == 20
    assert all(column[row] is not None for row in test for column in corpus.labels.values())


def test_more_training_scenes_change_no_other_scene(corpus: Corpus) -> None:
    smaller = StreetScenes(scenes=10, test_scenes=3, size=16).load()
    for row, name in enumerate(smaller.ids):
        other = list(corpus.ids).index(name)
        np.testing.assert_array_equal(smaller.inputs[row], corpus.inputs[other])
        assert smaller.splits[row] == corpus.splits[other]
        for column in COLUMNS:
            first, second = (loaded.labels[column][index] for loaded, index in ((smaller, row), (corpus, other)))
            assert (first is None) == (second is None)
            assert isinstance(first, Mask) or first == second


def test_training_and_test_scenes_differ(corpus: Corpus) -> None:
    images = [np.asarray(image).tobytes() for image in corpus.inputs]
    assert len(set(images)) == len(images)


def test_command_writes_a_folder_of_images(tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("street-scenes", "write", tmp_path / "scenes", "--scenes", 12, "--seed", 3, "--size", 32)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "scenes" / "images" / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows[:2] + rows[-1:]] == ["00.png", "01.png", "11.png"]
    scene = draw_scene(11, seed=3, size=32)
    with Image.open(tmp_path / "scenes" / "images" / "11.png") as image:
        np.testing.assert_array_equal(np.asarray(image), scene.image)
    with Image.open(tmp_path / "scenes" / "masks" / rows[-1]["mask"]) as image:
        np.testing.assert_array_equal(np.asarray(image), scene.mask)
    assert [int(rows[-1][f"{kind}-count"]) for kind in KINDS] == [scene.counts[kind] for kind in KINDS]


EXPERIMENT = """\
name: files
data: {{type: image-folder, train: {folder}/images}}
encoder: {{type: image, size: 32}}
backbone: {{type: residual-cnn, channels: [4, 4], output: spatial}}
tasks:
  - {{name: vehicle, kind: binary, head: linear}}
  - {{name: mask, kind: {{type: segmentation, classes: {classes}, folder: {folder}/masks}}, head: dense-conv}}
"""


def test_image_folder_reads_what_the_command_writes(tmp_path: Path, mtl: Mtl) -> None:
    mtl("street-scenes", "write", tmp_path / "scenes", "--scenes", 12, "--size", 32)
    path = tmp_path / "files.yaml"
    path.write_text(EXPERIMENT.format(folder=tmp_path / "scenes", classes=len(CLASSES)), encoding="utf-8")
    result = mtl("validate", path, "--data")
    assert result.returncode == 0, result.stderr + result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [("file", "is not empty; choose another folder"), ("blocked", "cannot be written: ")],
)
def test_command_refuses_a_folder_in_use(content: str, message: str, tmp_path: Path, mtl: Mtl) -> None:
    folder = tmp_path / "scenes"
    if content == "file":
        folder.mkdir()
        (folder / "notes.txt").touch()
    else:
        folder.touch()
    result = mtl("street-scenes", "write", folder, "--scenes", 1)
    assert result.returncode == 2
    assert str(folder) in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenes": 0}, "scenes"),
        ({"size": 8}, "size"),
        ({"label_fraction": 0}, "label_fraction"),
        ({"seed": -1}, "seed"),
    ],
)
def test_invalid_options_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreetScenes(**settings)  # type: ignore[arg-type]
