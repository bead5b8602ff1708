"""Tasks with labels per pixel in complete runs: training, metrics, stored sums, predicted masks, prediction."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pixel_components import CLASSES, SIZE, Rectangles, TinyImages, build_pixel_experiment, draw_rectangles, write_masks
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassJaccardIndex
from toy import tensor_bits, toy_config, toy_network

from mtl_core.data import dense_targets
from mtl_core.data.batches import Examples
from mtl_core.data.dense_targets import DenseTargets, LazyMaskTargets
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.evaluation import inference
from mtl_core.runs import predicted_masks
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.predict_inputs import predict_corpus
from mtl_core.runs.predicted_masks import MaskWriter, compute_chunk_size
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.losses import build_group_loss

N_PIXELS = SIZE[0] * SIZE[1]
TEST_ROWS = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all kinds."""
    folder = tmp_path_factory.mktemp("pixels")
    path = folder / "run"
    run_experiment(toy_config(folder, **build_pixel_experiment(training={"epochs": 14, "batch_size": 8})), path)
    return path


@pytest.fixture(scope="module")
def scores(run: Path) -> dict[str, Any]:
    """The scores of the tasks on the test split."""
    scores: dict[str, Any] = json.loads((run / "metrics.json").read_text())["splits"]["test"]["tasks"]
    return scores


@pytest.fixture(scope="module")
def labels() -> dict[str, list[NDArray[Any]]]:
    """The masks of the test images."""
    return {name: masks[-TEST_ROWS:] for name, masks in draw_rectangles(40 + TEST_ROWS).items()}


def read_records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def read_masks(run: Path, task: str) -> list[NDArray[Any]]:
    from PIL import Image

    paths = [run / record["tasks"][task]["label"] for record in read_records(run)]
    return [np.array(Image.open(path)) if path.suffix == ".png" else np.load(path) for path in paths]


def test_all_kinds_learn(scores: dict[str, Any]) -> None:
    assert scores["seg"]["mean_iou"] > 0.7 > scores["seg"]["baseline_mean_iou"]
    assert scores["seg"]["pixel_accuracy"] > scores["seg"]["majority_pixel_accuracy"]
    assert scores["depth"]["mae"] < 0.5 * scores["depth"]["baseline_mae"]
    assert scores["normal"]["angle_error"] < 0.5 * scores["normal"]["baseline_angle_error"]


def test_scores_of_classes_are_those_of_the_masks_on_disk(
    run: Path, scores: dict[str, Any], labels: dict[str, list[NDArray[Any]]]
) -> None:
    predicted, true = np.stack(read_masks(run, "seg")), np.stack(labels["seg"])
    is_labelled = true != 255
    assert scores["seg"]["n"] == is_labelled.sum() < true.size
    ious = [
        (is_labelled & (predicted == code) & (true == code)).sum()
        / (is_labelled & ((predicted == code) | (true == code))).sum()
        for code in range(3)
    ]
    assert scores["seg"]["mean_iou"] == pytest.approx(np.mean(ious), abs=1e-12)
    assert scores["seg"]["pixel_accuracy"] == (predicted == true)[is_labelled].mean()
    reference = MulticlassJaccardIndex(3, average="macro")
    expected = float(reference(torch.from_numpy(predicted[is_labelled]), torch.from_numpy(true[is_labelled])))
    assert scores["seg"]["mean_iou"] == pytest.approx(expected, abs=1e-6)


def test_scores_of_numbers_are_those_of_the_masks_on_disk(
    run: Path, scores: dict[str, Any], labels: dict[str, list[NDArray[Any]]]
) -> None:
    depth, true = np.stack(read_masks(run, "depth")).astype(float), np.stack(labels["depth"]).astype(float)
    errors = np.abs(depth - true)[true != 0]
    assert scores["depth"]["mae"] == pytest.approx(errors.mean(), rel=1e-6)
    assert scores["depth"]["abs_rel"] == pytest.approx((errors / true[true != 0]).mean(), rel=1e-6)
    normals, true = np.stack(read_masks(run, "normal")).astype(float), np.stack(labels["normal"]).astype(float)
    is_labelled = (true != 0).any(axis=-1)
    cosines = (normals * true).sum(axis=-1)[is_labelled] / np.linalg.norm(normals, axis=-1)[is_labelled]
    angles = np.degrees(np.arccos(cosines.clip(-1, 1)))
    assert scores["normal"]["angle_error"] == pytest.approx(angles.mean(), abs=1e-3)
    assert scores["normal"]["within_30"] == pytest.approx((angles < 30).mean(), abs=1e-12)


def test_records_summarize_masks_without_a_value_per_pixel(run: Path) -> None:
    record = read_records(run)[0]["tasks"]
    mask = read_masks(run, "seg")[0]
    assert record["seg"]["label"] == "predicted_masks/seg/000001.png"
    assert (record["seg"]["height"], record["seg"]["width"]) == SIZE
    assert record["seg"]["shares"]["background"] == pytest.approx((mask == 0).mean(), abs=1e-6)
    assert record["depth"]["mean"] == pytest.approx(read_masks(run, "depth")[0].mean(), abs=1e-5)
    assert len(record["normal"]["mean"]) == 3
    assert all(len(json.dumps(entry)) < 400 for entry in record.values())


def test_stored_outputs_do_not_grow_with_the_pixels(run: Path) -> None:
    tensors = load_file(run / "outputs.safetensors")
    assert tensors["seg/sums/mean_iou"].shape == (TEST_ROWS, 2 * len(CLASSES))
    assert all(len(table) == TEST_ROWS for table in tensors.values())
    assert not any(name.startswith("seg/outputs") for name in tensors)


def test_predicted_masks_of_a_run_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.runs.split_evaluation.MAX_RUN_BYTES", 3 * N_PIXELS + 1)
    monkeypatch.setattr(predicted_masks, "MAX_CHUNK_PIXELS", 5 * N_PIXELS)  # several chunks
    run_experiment(toy_config(tmp_path, **build_pixel_experiment("seg")), tmp_path / "run")
    labels = [record["tasks"]["seg"]["label"] for record in read_records(tmp_path / "run")]
    assert labels == [f"predicted_masks/seg/00000{number}.png" for number in (1, 2, 3)] + [None] * 9
    assert len(list((tmp_path / "run" / "predicted_masks" / "seg").iterdir())) == 3


def test_a_saved_run_is_evaluated_and_predicts(run: Path, scores: dict[str, Any], tmp_path: Path) -> None:
    saved_run = load_run(run)
    evaluation = evaluate_test_split(saved_run).scores.tasks
    for name, metric in (("seg", "mean_iou"), ("depth", "mae"), ("normal", "angle_error")):
        assert evaluation[name].metrics[metric].value == pytest.approx(scores[name][metric], abs=1e-9)
    corpus = Rectangles(rows=1, test_rows=2).load()
    for writer, expected in ((None, None), (MaskWriter(tmp_path), f"{tmp_path}/seg/000003.png")):
        records = list(predict_corpus(saved_run, corpus, mask_writer=writer))
        assert records[2]["tasks"]["seg"]["label"] == expected
        assert "shares" in records[2]["tasks"]["seg"]


def train(folder: Path, name: str, **blocks: Any) -> dict[str, bytes]:
    path = folder / name
    run_experiment(toy_config(folder, **blocks), path)
    return tensor_bits(load_file(path / "model.safetensors"))


def test_unlabelled_pixels_change_nothing_bit_for_bit(tmp_path: Path) -> None:
    first = train(tmp_path, "first", **build_pixel_experiment())
    blocks = build_pixel_experiment(data={"type": "rectangles", "nan_marks": True})
    assert train(tmp_path, "second", **blocks) == first


def test_outputs_of_unlabelled_pixels_get_no_gradient(tmp_path: Path) -> None:
    data, _, _ = toy_network(toy_config(tmp_path, **build_pixel_experiment("seg")))
    group, table = data.groups[0], data.examples.targets[0]
    targets = table.get_targets(torch.arange(8), None, None)
    mask = group.mask(targets)
    assert mask.shape == (8, 1, N_PIXELS)
    assert not mask.all()
    outputs = torch.randn(8, 1, N_PIXELS, 3)
    outputs[~mask] = float("nan")
    outputs.requires_grad_()
    losses = build_group_loss(group)(outputs, targets, mask)
    losses.values.sum().backward()
    assert outputs.grad is not None
    assert (outputs.grad[~mask] == 0).all()
    assert outputs.grad[mask].isfinite().all()
    expected = cross_entropy(outputs.detach().flatten(0, 2), targets.flatten(), ignore_index=-1)
    assert losses.values.item() == pytest.approx(expected.item(), rel=1e-6)
    assert losses.counts.tolist() == [int(mask.sum())]


@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_masks_on_disk_train_the_same_network_as_masks_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    blocks = build_pixel_experiment()
    expected = train(tmp_path, "memory", **blocks)
    folder = write_masks(tmp_path / "masks", 52, suffix=suffix)
    blocks["data"] = {"type": "rectangles", "folder": str(folder), "suffix": suffix}
    assert train(tmp_path, "files", **blocks) == expected
    monkeypatch.setattr(dense_targets, "MAX_BYTES_IN_MEMORY", 0)
    assert train(tmp_path, "lazy", **blocks) == expected


def test_large_masks_are_checked_before_training_and_read_per_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense_targets, "MAX_BYTES_IN_MEMORY", 0)
    folder = write_masks(tmp_path / "masks", 52)
    blocks = build_pixel_experiment("seg", data={"type": "rectangles", "folder": str(folder)})
    table = prepare(toy_config(tmp_path, **blocks)).examples.targets[0]
    assert isinstance(table, DenseTargets)
    assert isinstance(table.columns[0], LazyMaskTargets)
    test_mask = folder / "seg" / "45.npy"
    np.save(test_mask, np.full(SIZE, 9, dtype=np.uint8))
    with pytest.raises(MtlError, match=r"image45: task 'seg': .*45.npy: .* has the value 9"):
        prepare(toy_config(tmp_path, **blocks)).examples.targets[0].get_targets(torch.tensor([45]), None, None)
    np.save(test_mask, np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(MtlError, match=r"image45: task 'seg': .*45.npy: a mask of 4 x 4 pixels .* images of 8 x 12"):
        prepare(toy_config(tmp_path, **blocks))
    blocks["tasks"][0]["kind"]["resize"] = "nearest"
    assert prepare(toy_config(tmp_path, **blocks)).examples.targets[0].get_targets(
        torch.tensor([45]), None, None
    ).shape == (1, 1, N_PIXELS)


def test_augmentation_moves_labels_with_the_pixels(tmp_path: Path) -> None:
    data = prepare(toy_config(tmp_path, **build_pixel_experiment("seg", "normal")))
    examples: Examples = data.examples
    rows, device = np.arange(4), torch.device("cpu")

    def flip(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mirror images, and cut off the last row."""
        indices = torch.arange(N_PIXELS).view(1, *SIZE).flip(2).repeat(len(images), 1, 1)
        indices[:, -1] = -1
        return images.flip(3), indices.flatten(1)

    plain, flipped = examples.build_batch(rows, device), examples.build_batch(rows, device, augmentation=flip)
    assert torch.equal(flipped.inputs, plain.inputs.flip(3))
    expected = plain.targets[0].view(4, 1, *SIZE).flip(3)
    expected[:, :, -1] = -1
    assert torch.equal(flipped.targets[0].view(4, 1, *SIZE), expected)
    vectors = plain.targets[1].view(4, 1, *SIZE, 3).flip(3)
    vectors[:, :, -1] = float("nan")
    assert torch.equal(flipped.targets[1].view(4, 1, *SIZE, 3).nan_to_num(7), vectors.nan_to_num(7))


def test_images_without_a_mask_count_for_nothing(tmp_path: Path) -> None:
    blocks = build_pixel_experiment(data={"type": "rectangles", "labelled": 0.5})
    data = prepare(toy_config(tmp_path, **blocks))
    targets = data.examples.targets[0].get_targets(torch.from_numpy(data.split.train), None, None)
    labelled = [data.labels["seg"][row] is not None for row in data.split.train.tolist()]
    assert ((targets >= 0).any(dim=2)[:, 0] == torch.tensor(labelled)).all()
    assert 0 < sum(labelled) < len(labelled)
    run_experiment(toy_config(tmp_path, **blocks), tmp_path / "run")


def test_excluded_classes_and_class_weights(tmp_path: Path) -> None:
    blocks = build_pixel_experiment("seg")
    blocks["tasks"][0] |= {"mask": {"type": "exclude-labels", "labels": ["background"]}}
    data = prepare(toy_config(tmp_path, **blocks))
    targets = data.examples.targets[0].get_targets(torch.arange(4), None, None)
    assert (data.groups[0].mask(targets) == (targets > 0)).all()
    assert "background" not in data.tasks[0].class_counts
    blocks = build_pixel_experiment("seg")
    blocks["tasks"][0]["kind"]["class_weights"] = "balanced"
    weights = prepare(toy_config(tmp_path, **blocks)).tasks[0].kind.class_weights
    assert weights is not None
    assert weights[0] < weights[1:].min()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "linear"}, "has one label per pixel, but the head 'linear' returns outputs per example"),
        ({"kind": "classification"}, "has one label per example, but the head 'dense-conv' returns outputs per pixel"),
        ({"kind": {"type": "segmentation", "classes": CLASSES, "metrics": ["mae"]}}, "metric 'mae' is for tasks whose"),
        ({"kind": {"type": "dense-regression", "metrics": ["angle-error"]}}, "for tasks whose labels are vectors"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    blocks = build_pixel_experiment("seg")
    blocks["tasks"][0] |= change
    with pytest.raises(MtlError) as error:
        prepare(toy_config(tmp_path, **blocks))
    assert message in str(error.value)


def test_an_encoder_without_images_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.data.encoder.Encoder.image_size", None)
    blocks = build_pixel_experiment("seg", data="rectangles", encoder="array", backbone="identity")
    with pytest.raises(MtlError, match=r"gives no images of one size|spatial"):
        prepare(toy_config(tmp_path, **blocks))


def test_the_head_upsamples_row_by_row() -> None:
    """A head without hidden layer that copies a channel reproduces the image."""
    from mtl_core.builtins.heads.dense_conv import DenseConv
    from mtl_core.nn.features import Features, FeatureShape

    shape = FeatureShape(2, size=SIZE, image_size=SIZE)
    head = DenseConv(hidden_dim=0).build_group(shape, 1, 2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2).view(2, 1, 2, 1, 1))  # type: ignore[operator]
        head.bias.zero_()  # type: ignore[operator]
    images = torch.randn(3, 2, *SIZE)
    outputs = head(Features(images)).outputs
    assert torch.allclose(outputs, images.flatten(2).unsqueeze(-1))
    assert TinyImages().image_size is None


def test_splits_are_balanced_by_whether_there_is_a_mask(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks", 52)
    blocks = build_pixel_experiment("seg", data={"type": "rectangles", "folder": str(folder), "labelled": 0.5})
    data = prepare(toy_config(tmp_path, **blocks))
    assert data.split.largest_imbalance is not None
    assert data.split.largest_imbalance.label == "labelled"


def test_large_images_are_evaluated_and_predicted_in_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "MAX_EVALUATION_PIXELS", 3 * N_PIXELS)
    data, network, _ = toy_network(toy_config(tmp_path, **build_pixel_experiment("seg", "depth")))
    batches = inference.run_network(network, data.examples, np.arange(10), torch.device("cpu"))
    assert [len(batch.rows) for batch in batches] == [3, 3, 3, 1]
    assert inference.compute_evaluation_batch_size(None) == inference.EVALUATION_BATCH_SIZE
    monkeypatch.setattr(predicted_masks, "MAX_CHUNK_PIXELS", 8 * N_PIXELS)
    assert compute_chunk_size(100, data.groups, SIZE) == 4  # two masks per image
    assert compute_chunk_size(100, data.groups, None) == 100


def test_r_drop_is_refused_for_labels_per_pixel(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=r"training\.r_drop: R-Drop compares two passes.*the task 'seg' labels pixels"):
        toy_config(tmp_path, **build_pixel_experiment("seg", training={"epochs": 1, "r_drop": 1.0}))
