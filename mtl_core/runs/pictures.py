"""Some examples that are images, with their predictions and masks, for the report: `pictures.jsonl`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.json_files import write_json_lines
from mtl_core.artifacts.pictures import Picture, PictureLabel, PictureMask
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.dense_space import PixelClassSpace, PixelNumberSpace, convert_number_values
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.masks import describe_mask
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.mask_pictures import color_classes, color_numbers
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_collector import PredictionCollector
from mtl_core.runs.thumbnails import build_thumbnail, encode_thumbnail

MAX_PICTURES = 8
"""Number of examples that are stored."""


def write_pictures(run: RunDirectory, network: MultiTaskNetwork, data: FittedData, rows: RowIndices) -> None:
    """Write the first examples of a split with their predictions; nothing if the inputs are no images.

    Args:
        run: The run directory.
        network: The network.
        data: The data.
        rows: `(examples,)`, int64: row indices of the split.
    """
    first_rows = rows[:MAX_PICTURES]
    if not len(rows) or data.encoder.thumbnail(data.parsed[int(rows[0])]) is None:
        return
    predicted_groups = [group.is_predicted for group in data.groups]
    collector = PredictionCollector(data.groups, predicted_groups, data.encoder, data.examples.items)
    for batch_outputs in run_network(network, data.examples, first_rows, get_device(network), predicted_groups):
        collector.add(batch_outputs)
    pictures = [_build_picture(data, row, collector) for row in first_rows.tolist()]
    write_atomically(run.pictures, lambda path: write_json_lines(path, (one.to_record() for one in pictures)))


def _build_picture(data: FittedData, row: int, collector: PredictionCollector) -> Picture:
    parsed = data.parsed[row]
    prediction = collector.pop_prediction(row, data.corpus.ids[row], data.corpus.inputs[row], parsed)
    gold = collector.get_gold_labels(row, data.labels, parsed)
    image = build_thumbnail(data.encoder, parsed)
    assert image is not None  # noqa: S101  the caller has checked that the inputs are images
    return Picture(
        id=prediction.id,
        image=image,
        labels=[
            PictureLabel(task=name, label=task_prediction.label, gold=gold.get(name))
            for name, task_prediction in prediction.tasks.items()
            if task_prediction.mask is None
        ],
        masks=[
            _build_mask(task, prediction, data.labels[task.name][row] if len(data.labels.get(task.name, ())) else None)
            for task in data.tasks
            if task.name in prediction.tasks and prediction.tasks[task.name].mask is not None
        ],
    )


def _build_mask(task: FittedTask, prediction: Prediction, label: object) -> PictureMask:
    predicted = prediction.tasks[task.name].mask
    assert predicted is not None  # noqa: S101  it is that of a task with one label per pixel
    size = (predicted.shape[0], predicted.shape[1])
    gold = None if label is None else _read_mask(task, label, size)
    pictures = _color_masks(task, [mask for mask in (predicted, gold) if mask is not None])
    urls = [encode_thumbnail(picture) for picture in pictures]
    return PictureMask(task=task.name, predicted=urls[0], gold=urls[1] if gold is not None else None)


def _read_mask(task: FittedTask, label: object, size: tuple[int, int]) -> NDArray[Any]:
    """Read a true mask in the form of predicted masks; negative or NaN for unlabelled pixels."""
    space: Any = task.space
    values = space.reader.read(label, size)
    if isinstance(space, PixelClassSpace):
        return space.encode_mask(values, describe_mask(label))
    numbers = convert_number_values(values, space.ignore_value, space.factor, describe_mask(label))
    return numbers if space.vector else numbers[:, :, 0]


def _color_masks(task: FittedTask, masks: list[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """Color masks of one task on the same scale: that of the last, the true one if there is one."""
    if not isinstance(task.space, PixelNumberSpace):
        return [color_classes(mask.astype(np.int64), len(task.space.classes)) for mask in masks]
    finite = masks[-1][np.isfinite(masks[-1])]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return [color_numbers(mask, low, high) for mask in masks]
