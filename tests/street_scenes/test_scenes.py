"""The generator of street scenes: bytes, labels and masks agree with each other."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_street_scenes.canvas import UNITS, Canvas
from mtl_street_scenes.classes import CLASSES, KINDS, SURFACES, UNLABELLED, Kind
from mtl_street_scenes.decoys import DECOYS
from mtl_street_scenes.scene import DRAW, N_OBJECTS, Draw, Scene, count_objects, draw_scene

N_SCENES = 200
PICTURE = Path(__file__).parents[2] / "docs" / "tutorials" / "street-scenes.png"
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(index) for index in range(N_SCENES)]


def test_equal_seed_and_index_give_equal_bytes(scenes: list[Scene]) -> None:
    for index in (17, 3):  # in another order, after other draws of NumPy's global generator
        np.random.seed(index)
        again = draw_scene(index)
        assert again.image.tobytes() == scenes[index].image.tobytes()
        assert again.mask.tobytes() == scenes[index].mask.tobytes()
        assert again.counts == scenes[index].counts


def test_scenes_differ_by_index_and_seed(scenes: list[Scene]) -> None:
    digests = [sha256(scene.image.tobytes()).digest() for scene in [*scenes, draw_scene(0, seed=1)]]
    assert len(set(digests)) == N_SCENES + 1


def test_drawing_leaves_the_global_generator_alone() -> None:
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    draw_scene(0)
    assert np.random.random() == expected


@pytest.mark.parametrize("size", [16, 64, 100])
def test_images_and_masks_have_the_size(size: int) -> None:
    scene = draw_scene(5, size=size)
    assert scene.image.shape == (size, size, 3)
    assert scene.mask.shape == (size, size)
    assert scene.image.dtype == scene.mask.dtype == np.uint8


def test_size_changes_resolution_and_not_the_scene(scenes: list[Scene]) -> None:
    shares = [
        np.bincount(scene.mask.ravel(), minlength=256) / scene.mask.size
        for scene in (scenes[8], draw_scene(8, size=128))
    ]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)


def test_mask_and_counts_agree(scenes: list[Scene]) -> None:
    for scene in scenes:
        visible = set(np.unique(scene.mask).tolist())
        assert visible <= {*range(len(CLASSES)), UNLABELLED}
        for kind in KINDS:
            assert (CLASSES.index(kind) in visible) == (scene.counts[kind] > 0)
            assert 0 <= scene.counts[kind] <= N_OBJECTS[kind]


def test_kinds_are_balanced_and_independent(scenes: list[Scene]) -> None:
    presence = np.array([[scene.counts[kind] > 0 for kind in KINDS] for scene in scenes])
    assert ((presence.mean(0) > 0.33) & (presence.mean(0) < 0.67)).all()
    assert np.abs(np.corrcoef(presence.T) - np.eye(len(KINDS))).max() < 0.25
    for kind in KINDS:
        assert set(Counter(scene.counts[kind] for scene in scenes)) == set(range(N_OBJECTS[kind] + 1))


def test_surfaces_are_where_they_belong(scenes: list[Scene]) -> None:
    rows: dict[str, list[int]] = {name: [] for name in CLASSES}
    for scene in scenes:
        for name in CLASSES:
            rows[name].extend((scene.mask == CLASSES.index(name)).nonzero()[0].tolist())
    assert np.mean(rows["background"]) < np.mean(rows["building"]) < np.mean(rows["sidewalk"]) < np.mean(rows["road"])
    assert np.mean(rows["traffic-light"]) < np.mean(rows["pedestrian"])


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_painted_as_themselves(kind: Kind) -> None:
    canvas = Canvas(64)
    DRAW[kind](canvas, np.random.default_rng(0), 32, 60, 12)
    image, owners = canvas.render()
    mask, counts = count_objects(canvas, owners)
    assert counts == {other: int(other == kind) for other in KINDS}
    n_painted, n_labelled = image.any(axis=2).sum(), (mask == CLASSES.index(kind)).sum()
    assert 20 < n_labelled <= n_painted


@pytest.mark.parametrize("decoy", DECOYS)
def test_decoys_are_background(decoy: Draw) -> None:
    canvas = Canvas(64)
    decoy(canvas, np.random.default_rng(0), 32, 60, 12)
    image, owners = canvas.render()
    assert image.any()
    assert not canvas.objects
    assert not owners.any()


def test_shapes_after_an_object_do_not_belong_to_it() -> None:
    canvas = Canvas(64)
    with canvas.paint("road"):
        with canvas.paint("vehicle"):
            canvas.rectangle(0, 0, 8, 8, RED)
        canvas.rectangle(8, 0, 16, 8, RED)
    canvas.rectangle(16, 0, 24, 8, RED)
    _, owners = canvas.render()
    assert [int(owners[4, x]) for x in (4, 12, 20)] == [len(SURFACES), SURFACES.index("road"), 0]


def _draw_two_squares(offset: float) -> tuple[np.ndarray, dict[Kind, int]]:
    """Paint a pedestrian of 10 x 10 units, and a vehicle of the same size over it, moved to the right."""
    canvas = Canvas(64)
    with canvas.paint("pedestrian"):
        canvas.rectangle(20, 20, 30, 30, RED)
    with canvas.paint("vehicle"):
        canvas.rectangle(20 + offset, 20, 30 + offset, 30, BLUE)
    _, owners = canvas.render()
    return count_objects(canvas, owners)


def test_near_objects_hide_far_ones() -> None:
    mask, counts = _draw_two_squares(offset=4)
    assert counts == {"pedestrian": 1, "vehicle": 1, "traffic-light": 0, "stop-sign": 0}
    assert (mask == CLASSES.index("vehicle")).sum() == pytest.approx(100, abs=12)
    assert (mask == CLASSES.index("pedestrian")).sum() == pytest.approx(40, abs=8)


@pytest.mark.parametrize("offset", [0, 0.5])
def test_hidden_objects_do_not_count(offset: float) -> None:
    _, counts = _draw_two_squares(offset)
    assert counts["pedestrian"] == 0


def test_pixels_of_objects_that_do_not_count_are_unlabelled() -> None:
    canvas = Canvas(64)
    with canvas.paint("stop-sign"):
        canvas.rectangle(20, 20, 22, 22, RED)
    _, owners = canvas.render()
    mask, counts = count_objects(canvas, owners)
    assert counts["stop-sign"] == 0
    assert set(np.unique(mask)) == {0, UNLABELLED}


def test_things_are_painted_from_far_to_near(monkeypatch: pytest.MonkeyPatch) -> None:
    feet: list[float] = []
    record: Draw = lambda canvas, rng, x, y, metre: feet.append(y)  # noqa: E731
    monkeypatch.setattr("mtl_street_scenes.scene.DRAW", dict.fromkeys(KINDS, record))
    for index in range(20):
        draw_scene(index)
        assert feet == sorted(feet)
        feet.clear()


def test_mask_follows_the_image() -> None:
    canvas = Canvas(UNITS)
    with canvas.paint("road"):
        canvas.ellipse(32, 32, 20, 30, RED)
        canvas.line((0, 5), (63, 5), 3, RED)
        canvas.polygon([(50, 50), (60, 50), (55, 62)], RED)
    with canvas.paint("building"):
        canvas.rectangle(2, 50, 12, 60, BLUE)
    image, owners = canvas.render()
    for name, channel in (("road", 0), ("building", 2)):
        strong = image[:, :, channel] > 200
        assert (owners[strong] == SURFACES.index(name)).all()
        assert strong.sum() > 50


def test_picture_of_the_tutorial_is_up_to_date(scenes: list[Scene]) -> None:
    with Image.open(PICTURE) as picture:
        pixels = np.asarray(picture)[::2, ::2].astype(np.int64)
    images = np.hstack([scene.image for scene in scenes[: pixels.shape[1] // 64]])
    # Another version of Pillow may draw some edges otherwise.
    assert np.abs(pixels[:64] - images).mean() < 2, "run the first block of docs/tutorials/street-scenes.md"
