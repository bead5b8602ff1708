"""Masks as labels: files and arrays, values, sizes, unlabelled pixels, statistics of training pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from mtl_core.builtins.task_kinds.dense_regression import DenseRegression
from mtl_core.builtins.task_kinds.segmentation import Segmentation
from mtl_core.data.corpus import Corpus
from mtl_core.data.dense_space import PixelClassSpace, convert_class_values
from mtl_core.data.dense_targets import DenseTargets, move_pixels
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.masks import Mask, MaskReader
from mtl_core.data.png_encoding import encode_png
from mtl_core.data.streaming_moments import StreamingMoments
from mtl_core.errors import MtlError

DTYPES = (np.uint8, np.int16, np.int64, np.float32, np.float64)
CODES = np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint8)


def build_classes(*masks: str | Mask, **keys: Any) -> PixelClassSpace:
    return Segmentation(**keys).build_space(LabelStatistics(masks, masks))


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "npy", "npy-float", "npy-channel", "array"])
def test_the_same_mask_is_read_from_every_format(tmp_path: Path, mode: str) -> None:
    label: str | Mask = str(tmp_path / ("mask.npy" if mode.startswith("npy") else "mask.png"))
    if mode == "array":
        label = Mask(CODES)
    elif mode == "P":
        image = Image.fromarray(CODES, mode="P")
        image.putpalette([value for value in range(256) for _ in range(3)])
        image.save(str(label))
    elif mode in {"L", "I;16"}:
        Image.fromarray(CODES if mode == "L" else CODES.astype(np.uint16)).save(str(label))
    else:
        arrays: dict[str, NDArray[Any]] = {
            "npy": CODES,
            "npy-float": CODES.astype(np.float64),
            "npy-channel": CODES[:, :, None],
        }
        np.save(str(label), arrays[mode])
    space = build_classes(label, classes=3)
    assert space.read_targets(label, (2, 3)).tolist() == [0, 1, 2, -1, 2, 0]
    assert space.class_counts == {"0": 2, "1": 1, "2": 2}


def test_paths_are_relative_to_the_folder_of_the_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CODES)
    assert build_classes("a.npy", classes=["x", "y", "z"], folder=tmp_path).class_counts == {"x": 2, "y": 1, "z": 2}


def test_the_number_of_classes_is_that_of_training_and_validation_masks() -> None:
    train, validation = Mask(CODES), Mask(CODES + np.uint8(0))
    validation.array[0, 0] = 4
    space = Segmentation().build_space(LabelStatistics([train, validation], [train]))
    assert space.classes == ("0", "1", "2", "3", "4")
    assert space.class_counts["4"] == 0


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (
            np.full((2, 3), 7, np.uint8),
            {"classes": 3},
            "row 0, column 0 has the value 7, expected the index of a class",
        ),
        (np.full((2, 3), -2), {"classes": 3}, "has the value -2"),
        (np.full((2, 3), 0.5), {"classes": 3}, "has the value 0.5, expected the index of a class"),
        (np.zeros((2, 3, 3)), {"classes": 3}, "of shape (2, 3, 3), expected (height, width)"),
        (np.zeros((0, 3)), {"classes": 3}, "a mask without pixels"),
        (np.array([["a"]]), {"classes": 3}, "expected numbers"),
        (np.full((2, 3), 255, np.uint8), {"classes": 3}, "no pixel of the training masks has a class"),
        (np.zeros((2, 3), np.uint8), {}, "contain 1 classes, expected 2 to 1000; set `kind.classes`"),
    ],
)
def test_wrong_masks_are_refused_by_name(
    tmp_path: Path, content: NDArray[Any], keys: dict[str, Any], message: str
) -> None:
    path = tmp_path / "wrong.npy"
    np.save(path, content)
    with pytest.raises(MtlError) as error:
        build_classes(str(path), **keys)
    assert message in str(error.value)
    assert str(path) in str(error.value) or "classes" in message or "no pixel" in message


def test_missing_and_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "text.npy").write_text("no array")
    Image.new("RGB", (3, 2)).save(tmp_path / "colours.png")
    (tmp_path / "cut.png").write_bytes(encode_png(np.zeros((200, 200), np.uint8))[:60])
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    for name, message in {
        "none.png": "no such file",
        "none.npy": "no such file",
        "text.png": "not an image",
        "text.npy": "not an array",
        "objects.npy": "not an array",
        "colours.png": "an image of mode RGB, expected one number per pixel",
        "cut.png": "a damaged image",
        ".": "is a folder",
    }.items():
        with pytest.raises(MtlError) as error:
            MaskReader(tmp_path).read(name)
        assert f"{tmp_path / name}: " in str(error.value)
        assert message in str(error.value)
    with pytest.raises(MtlError, match="the label 3 is not a mask"):
        MaskReader().read(3)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    data = bytearray(encode_png(np.zeros((2, 2), np.uint8)))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(MtlError, match=r"bomb.png"):
        MaskReader().check_size(str(path), (2, 2))


def test_masks_of_another_size_are_refused_unless_resized(tmp_path: Path) -> None:
    path = str(tmp_path / "small.npy")
    np.save(path, np.array([[0, 1], [2, 3]]))
    with pytest.raises(MtlError, match=r"small.npy: a mask of 2 x 2 pixels .* images of 4 x 4; set `kind.resize"):
        MaskReader().check_size(path, (4, 4))
    resized = MaskReader(resize=True).read(path, (4, 4))
    assert resized.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert MaskReader(resize=True).read(Mask(np.arange(9).reshape(3, 3)), (1, 1)).tolist() == [[4]]


def test_classes_and_ignored_values_must_differ() -> None:
    with pytest.raises(ValueError, match="ignore_index: 0 is also the value of a class"):
        Segmentation(classes=3, ignore_index=0)
    with pytest.raises(ValueError, match="listed twice"):
        Segmentation(classes=["a", "a"])
    assert Segmentation(classes=300, ignore_index=-1).classes == 300


@settings(max_examples=50, deadline=None)
@given(
    values=hnp.arrays(st.sampled_from(DTYPES), (3, 4), elements=st.integers(0, 3)),
    unlabelled=hnp.arrays(np.bool_, (3, 4)),
    ignored=st.sampled_from([[255], [7, 9], [100]]),
)  # fmt: skip
def test_encoded_classes_are_the_values_and_missing_where_ignored(
    values: NDArray[Any], unlabelled: NDArray[np.bool_], ignored: list[int]
) -> None:
    stored = np.where(unlabelled, np.asarray(ignored[0], dtype=values.dtype), values)
    space = PixelClassSpace(["a", "b", "c", "d"], MaskReader(), ignored, {})
    codes = space.encode_mask(stored, "mask")
    assert (codes == np.where(unlabelled, -1, values.astype(int))).all()
    assert (convert_class_values(stored, ignored, "mask")[1] == unlabelled).all()


@settings(max_examples=50, deadline=None)
@given(
    blocks=st.lists(
        hnp.arrays(
            np.float64,
            st.tuples(st.integers(1, 5), st.just(2)),
            elements=st.integers(-(10**6), 10**6).map(lambda value: value / 1000),
        ),
        min_size=1,
    ),
    data=st.data(),
)
def test_streamed_mean_and_deviation_are_those_of_all_numbers(blocks: list[NDArray[Any]], data: st.DataObject) -> None:
    for block in blocks:
        block[data.draw(hnp.arrays(np.bool_, block.shape))] = np.nan
    blocks.append(np.zeros((1, 2)))  # no column is empty
    moments = StreamingMoments(2)
    for block in blocks:
        moments.update(block)
    space = moments.fit_space(vector=True, standardise=True)
    everything = np.concatenate(blocks)
    assert np.allclose(space.mean, np.nanmean(everything, axis=0), atol=1e-8)
    deviation = np.nanstd(everything, axis=0)
    constant = np.nanmax(everything, axis=0) == np.nanmin(everything, axis=0)
    assert np.allclose(space.scale[~constant], deviation[~constant], rtol=1e-6, atol=1e-9)
    assert (space.scale[constant] == 1).all()


def test_numbers_are_standardised_by_labelled_training_pixels_only() -> None:
    first = Mask(np.array([[1000, 3000], [0, 0]], dtype=np.uint16))
    kind = DenseRegression(ignore_value=0, factor=0.001)
    space = kind.build_space(LabelStatistics([first], [first]))
    assert space.mean.tolist() == [2.0]
    assert space.scale.tolist() == [1.0]
    targets = space.read_targets(Mask(np.array([[4000, 0]])), (1, 2))
    assert targets.tolist()[0] == 2.0
    assert np.isnan(targets[1])
    restored = kind.restore_space(space.state())
    assert restored.read_targets(first, (2, 2)).tolist()[:2] == [-1.0, 1.0]


def test_vectors_are_missing_only_where_all_channels_are() -> None:
    normals = np.array([[[0, 0, 1], [0, 0, 0], [np.nan, 0, 1], [1, 0, 0]]])
    kind = DenseRegression(channels=3, ignore_value=0, standardise=False)
    space = kind.build_space(LabelStatistics([Mask(normals)], [Mask(normals)]))
    for array in (normals, np.moveaxis(normals, -1, 0)):
        targets = torch.from_numpy(space.read_targets(Mask(array), (1, 4)))
        assert targets.shape == (4, 3)
        assert space.compute_label_mask(targets).tolist() == [True, False, False, True]


@pytest.mark.parametrize("value", [np.inf, 1e39])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(MtlError, match="expected a finite number"):
        DenseRegression().build_space(LabelStatistics([], [Mask(np.array([[value, 1.0]]))]))


def test_arrays_of_label_columns_become_masks() -> None:
    arrays = np.zeros((2, 3, 4))
    corpus = Corpus(["a", "b"], ["x", "y"], {"seg": arrays, "other": ["c", None]}, ["train", "train"])  # type: ignore[dict-item]
    assert all(isinstance(mask, Mask) for mask in corpus.labels["seg"])
    assert str(corpus.labels["seg"][0]) == "Mask of 3 x 4 pixels"
    with pytest.raises(MtlError, match="example b: the label 'seg' is"):
        Corpus(["a", "b"], ["x", "y"], {"seg": [arrays[0], {}]}, ["train", "train"])  # type: ignore[list-item]


def test_moved_pixels_take_their_labels_along() -> None:
    targets = torch.tensor([[[0, 1, 2, 3], [4, 5, 6, 7]]])
    indices = torch.tensor([[1, 0, -1, 3]])
    assert move_pixels(targets, indices, -1).tolist() == [[[1, 0, -1, 3], [5, 4, -1, 7]]]
    vectors = targets[..., None].float().expand(-1, -1, -1, 2)
    moved = move_pixels(vectors, indices, float("nan"))
    assert moved[0, 1, :, 1].nan_to_num(-1).tolist() == [5, 4, -1, 7]
    table = DenseTargets([[np.arange(4, dtype=np.int16), None]], (4,), np.dtype(np.int64))
    batch = table.get_targets(torch.tensor([1, 0]), None, None, torch.tensor([[0, 1, 2, 3], [3, 3, -1, 0]]))
    assert batch.tolist() == [[[-1, -1, -1, -1]], [[3, 3, -1, 0]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_encoded_png_is_read_by_pillow(tmp_path: Path, dtype: type[Any]) -> None:
    mask = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7)).astype(dtype)
    (tmp_path / "mask.png").write_bytes(encode_png(mask))
    with Image.open(tmp_path / "mask.png") as image:
        assert (np.array(image) == mask).all()
