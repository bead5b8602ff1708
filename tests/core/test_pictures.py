"""Pictures of examples that are images: their predictions and masks, as stored in a run and shown in its report."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pixel_components import CLASSES, build_pixel_experiment, draw_rectangles
from toy import toy_config

from mtl_core.artifacts.class_colors import FIRST_COLORS, UNLABELLED_COLOR, get_class_color
from mtl_core.artifacts.pictures import Picture, PictureLabel, PictureMask
from mtl_core.reporting.run.pictures_section import build_card
from mtl_core.reporting.write import write_report
from mtl_core.runs.mask_pictures import DARKEST, color_numbers
from mtl_core.runs.pictures import MAX_PICTURES
from mtl_core.runs.run import run_experiment

N_TRAIN, N_TEST = 40, 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    config = build_pixel_experiment(training={"epochs": 2, "batch_size": 8})
    run_experiment(toy_config(folder, **config), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def pictures(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "pictures.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def pixel_columns() -> dict[str, list[NDArray[Any]]]:
    return {name: masks[-N_TEST:] for name, masks in draw_rectangles(N_TRAIN + N_TEST).items()}


def decode(url: str) -> NDArray[np.uint8]:
    header, content = url.split(",")
    assert header == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def get_mask(picture: dict[str, Any], task: str) -> dict[str, Any]:
    mask: dict[str, Any]
    (mask,) = [mask for mask in picture["masks"] if mask["task"] == task]
    return mask


def test_the_first_test_examples_are_stored(
    run: Path, pictures: list[dict[str, Any]], pixel_columns: dict[str, list[NDArray[Any]]]
) -> None:
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(pictures) == MAX_PICTURES < N_TEST
    for picture, record, image in zip(pictures, records[:MAX_PICTURES], pixel_columns["image"], strict=False):
        assert picture["id"] == record["id"]
        np.testing.assert_array_equal(decode(picture["image"]), (image.clip(0, 1) * 255).round())
        entry = record["tasks"]["colour"]
        assert picture["labels"] == [{"task": "colour", "label": entry["label"], "gold": entry["gold"]}]


def test_masks_of_classes_have_the_colors_of_the_legend(
    run: Path, pictures: list[dict[str, Any]], pixel_columns: dict[str, list[NDArray[Any]]]
) -> None:
    palette = np.array([get_class_color(index) for index in range(len(CLASSES))] + [UNLABELLED_COLOR])
    for row, picture in enumerate(pictures):
        mask = get_mask(picture, "seg")
        gold = pixel_columns["seg"][row].astype(np.int64)
        np.testing.assert_array_equal(decode(mask["gold"]), palette[np.where(gold == 255, len(CLASSES), gold)])
        path = run / "predicted_masks" / "seg" / f"{row + 1:06}.png"
        np.testing.assert_array_equal(decode(mask["predicted"]), palette[np.asarray(Image.open(path))])


def test_masks_of_numbers_share_the_scale_of_the_true_mask(
    run: Path, pictures: list[dict[str, Any]], pixel_columns: dict[str, list[NDArray[Any]]]
) -> None:
    for row, picture in enumerate(pictures):
        gold = np.where(pixel_columns["depth"][row] == 0, np.nan, pixel_columns["depth"][row])
        low, high = np.nanmin(gold), np.nanmax(gold)
        mask = get_mask(picture, "depth")
        np.testing.assert_array_equal(decode(mask["gold"]), color_numbers(gold, low, high))
        predicted = np.load(run / "predicted_masks" / "depth" / f"{row + 1:06}.npy")
        np.testing.assert_array_equal(decode(mask["predicted"]), color_numbers(predicted, low, high))


def test_report_shows_pictures_and_a_legend(run: Path, pictures: list[dict[str, Any]]) -> None:
    write_report(run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert 'id="pictures"' in page
    for picture in pictures:
        assert f'<img src="{picture["image"]}"' in page
        assert all(f'<img src="{mask[key]}"' in page for mask in picture["masks"] for key in ("predicted", "gold"))
        (label,) = picture["labels"]
        is_wrong = label["label"] != label["gold"]
        assert f"colour: {label['label']}" + (f" (true: {label['gold']})" if is_wrong else "") in page
    for index, name in enumerate(CLASSES):
        red, green, blue = FIRST_COLORS[index]
        assert f'style="background: rgb({red}, {green}, {blue})"></span>{name}' in page


def test_wrong_predictions_are_apart_and_numbers_are_never_wrong() -> None:
    labels = [
        PictureLabel(task="right", label="yes", gold="yes"),
        PictureLabel(task="wrong", label="no", gold="yes"),
        PictureLabel(task="unlabelled", label=["a", "b"]),
        PictureLabel(task="number", label=1.2345, gold=2),
    ]
    card = build_card(Picture(id="7", image="data:", labels=labels, masks=[PictureMask(task="m", predicted="data:p")]))
    assert card.wrong == ["wrong: no (true: yes)"]
    assert card.right == ["right: yes", "unlabelled: a, b", "number: 1.23 (true: 2)"]
    assert card.images == [("data:", "image"), ("data:p", "m: predicted")]


def test_numbers_become_brighter_and_unlabelled_pixels_black() -> None:
    picture = color_numbers(np.array([[1.0, 2.0], [3.0, np.nan]]), 1, 3)
    assert picture[:, :, 0].tolist() == [[DARKEST, round((DARKEST + 255) / 2)], [255, 0]]
    assert (picture == picture[:, :, :1]).all()
    directions = color_numbers(np.array([[[0.0, 1.0, 0.5], [np.nan, 0.0, 0.0]]]), 0, 1)
    assert directions[0, 0].tolist() == [DARKEST, 255, round((DARKEST + 255) / 2)]
    assert directions[0, 1].tolist() == [0, 0, 0]


def test_colors_of_many_classes_differ() -> None:
    colors = [get_class_color(index) for index in range(40)]
    assert len({*colors, UNLABELLED_COLOR}) == 41


def test_runs_without_images_have_no_pictures(trained_run: Path) -> None:
    assert not (trained_run / "pictures.jsonl").exists()
