"""Evaluation of a split of the data of a run, and its prediction files."""

from collections.abc import Iterator
from typing import Any

from mtl_core.artifacts.json_files import write_json_lines
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import SplitName
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import run_network
from mtl_core.evaluation.scorer import Scorer, compute_scores
from mtl_core.evaluation.scores import Scores
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.mistakes import MistakeCollector
from mtl_core.runs.pictures import write_pictures
from mtl_core.runs.predicted_masks import MAX_RUN_BYTES, MaskWriter, compute_chunk_size
from mtl_core.runs.prediction_collector import PredictionCollector
from mtl_core.runs.result_files import get_split_rows
from mtl_core.runs.saved_outputs import OutputCollector

CHUNK_SIZE = 16_384
"""Number of examples evaluated between two writes to the predictions file."""


def evaluate_split(
    network: MultiTaskNetwork, data: FittedData, split_name: SplitName, run: RunDirectory | None
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
    mask_writer = MaskWriter(run.predicted_masks, run.path, MAX_RUN_BYTES)
    records_by_row = _iterate_records(network, data, rows, scorer, output_collector, mask_writer)
    collected_records = mistake_collector.collect(rows, records_by_row)
    records = ({"split": split_name, **record} for record in collected_records)
    write_atomically(run.predictions, lambda path: write_json_lines(path, records))
    output_collector.write(run, split_name, rows)
    mistake_collector.write(run, network, data)
    write_pictures(run, network, data, rows)
    return scorer.compute()


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
