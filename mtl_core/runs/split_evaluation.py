"""Evaluation of a split of the data of a run, and its prediction files."""

from collections.abc import Iterator
from typing import Any

from mtl_core.artifacts.json_files import write_json_lines
from mtl_core.artifacts.parquet_predictions import write_parquet
from mtl_core.artifacts.prediction_arrays import PredictionArrays
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.artifacts.safetensors_predictions import write_safetensors
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import SplitName
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import run_network
from mtl_core.evaluation.scorer import Scorer, compute_scores
from mtl_core.evaluation.scores import Scores
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.array_collector import ArrayCollector
from mtl_core.runs.mistakes import MistakeCollector
from mtl_core.runs.pictures import write_pictures
from mtl_core.runs.predicted_masks import MAX_RUN_BYTES, MaskWriter, compute_chunk_size
from mtl_core.runs.prediction import build_sample
from mtl_core.runs.prediction_collector import PredictionCollector
from mtl_core.runs.prediction_format import PredictionFormat, describe_array_obstacle
from mtl_core.runs.result_files import get_split_rows
from mtl_core.runs.saved_outputs import OutputCollector

CHUNK_SIZE = 16_384
"""Number of examples evaluated between two writes to the predictions file."""
N_SAMPLES = 20
"""Number of examples whose inputs are part of a file of arrays, for examples of requests to a server."""


def evaluate_split(
    network: MultiTaskNetwork,
    data: FittedData,
    split_name: SplitName,
    run: RunDirectory | None,
    prediction_format: PredictionFormat = "jsonl",
) -> Scores:
    """Evaluate all tasks on a split, including auxiliary tasks.

    With a run directory, also write the predictions per example, the raw outputs, the most confident mistakes, and
    pictures of some examples if the inputs are images.
    """
    rows = get_split_rows(data, split_name)
    if run is None:
        return compute_scores(network, data.examples, rows, data.groups)
    scorer, mistake_collector = Scorer(data.groups), MistakeCollector(data.tasks)
    output_collector = OutputCollector(data.groups)
    if prediction_format == "jsonl" or describe_array_obstacle(data.groups):
        mask_writer = MaskWriter(run.predicted_masks, run.path, MAX_RUN_BYTES)
        records_by_row = _iterate_records(network, data, rows, scorer, output_collector, mask_writer)
        collected_records = mistake_collector.collect(rows, records_by_row)
        records = ({"split": split_name, **record} for record in collected_records)
        _write_records(run, records, prediction_format)
    else:
        predictions = _predict_arrays(network, data, rows, split_name, scorer, output_collector)
        mistake_collector.collect_from_arrays(rows, predictions)
        write_prediction_arrays(run, predictions, prediction_format)
    ids = None if prediction_format == "jsonl" else [data.corpus.ids[row] for row in rows.tolist()]
    output_collector.write(run, split_name, rows, ids)
    mistake_collector.write(run, network, data)
    write_pictures(run, network, data, rows)
    return scorer.compute()


def _write_records(run: RunDirectory, records: Iterator[dict[str, Any]], prediction_format: PredictionFormat) -> None:
    """Write the records, or with `none` only compute them, which collects scores, outputs and mistakes."""
    if prediction_format == "jsonl":
        write_atomically(run.predictions, lambda path: write_json_lines(path, records))
        return
    for _ in records:
        pass


def write_prediction_arrays(
    run: RunDirectory, predictions: PredictionArrays, prediction_format: PredictionFormat
) -> None:
    """Write predictions in a compact format; nothing with `none`."""
    safetensors_path, parquet_path = run.compact_predictions
    if prediction_format == "safetensors":
        write_safetensors(safetensors_path, predictions)
    elif prediction_format == "parquet":
        write_parquet(parquet_path, predictions)


def _predict_arrays(
    network: MultiTaskNetwork,
    data: FittedData,
    rows: RowIndices,
    split_name: SplitName,
    scorer: Scorer,
    output_collector: OutputCollector,
) -> PredictionArrays:
    """Predict a split without an object per example and task; update the scorer and the collector of outputs."""
    collector = ArrayCollector(data.groups)
    for batch_outputs in run_network(network, data.examples, rows, get_device(network)):
        scorer.update(batch_outputs)
        output_collector.update(batch_outputs)
        collector.update(batch_outputs)
    ids = [data.corpus.ids[row] for row in rows.tolist()]
    samples = [build_sample(data.corpus.ids[row], data.corpus.inputs[row]) for row in rows[:N_SAMPLES].tolist()]
    return collector.build(split_name, ids, rows, samples)


def _iterate_records(
    network: MultiTaskNetwork,
    data: FittedData,
    rows: RowIndices,
    scorer: Scorer,
    output_collector: OutputCollector,
    mask_writer: MaskWriter,
) -> Iterator[dict[str, Any]]:
    """Yield one record per example, in order, and update the scorer and the collector; computed in chunks."""
    predicted_groups = [group.is_predicted for group in data.groups]
    predictions = PredictionCollector(data.groups, predicted_groups, data.encoder, data.examples.items)
    chunk_size = compute_chunk_size(CHUNK_SIZE, data.groups, data.encoder.image_size)
    for start in range(0, len(rows), chunk_size):
        chunk = rows[start : start + chunk_size]
        for batch_outputs in run_network(network, data.examples, chunk, get_device(network)):
            scorer.update(batch_outputs)
            output_collector.update(batch_outputs)
            predictions.add(batch_outputs)
        for row in chunk.tolist():
            yield predictions.pop_record(row, data.corpus, row, data.labels, data.parsed[row], mask_writer)
