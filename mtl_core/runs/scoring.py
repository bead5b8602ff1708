"""Evaluation of a split of the data of a run, and its prediction files."""

from collections.abc import Iterator
from typing import Any

from mtl_core.atomic import write_atomically
from mtl_core.data.corpus import Part
from mtl_core.evaluation.outputs import run_network
from mtl_core.evaluation.scores import Scorer, Scores
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.mistakes import Mistakes
from mtl_core.runs.outputs import OutputsGatherer
from mtl_core.runs.predictions import Predictions
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.results import rows_of, write_json_lines
from mtl_core.runs.saved import device_of

CHUNK = 16_384
"""Number of examples evaluated between two writes to the predictions file."""


def score_part(network: MultiTaskNetwork, prepared: Prepared, part: Part, run: RunDirectory | None) -> Scores:
    """Evaluate all tasks on a split, including auxiliary tasks.

    With a run directory, also write the predictions per example, the raw outputs, and the most confident mistakes.
    """
    scorer = Scorer(prepared.groups)
    if run is None:
        for said in run_network(network, prepared.examples, rows_of(prepared, part), device_of(network)):
            scorer.update(said)
    else:
        mistakes = Mistakes(prepared.tasks)
        gatherer = OutputsGatherer(prepared.groups)
        told = mistakes.watched(rows_of(prepared, part), _records(network, prepared, part, scorer, gatherer))
        records = ({"split": part, **record} for record in told)
        write_atomically(run.predictions, lambda path: write_json_lines(path, records))
        gatherer.write(run, part, rows_of(prepared, part))
        mistakes.write(run, network, prepared)
    return scorer.scores()


def _records(
    network: MultiTaskNetwork, prepared: Prepared, part: Part, scorer: Scorer, gatherer: OutputsGatherer
) -> Iterator[dict[str, Any]]:
    """Yield one record per example, in order, and update the scorer and the gatherer; computed in chunks."""
    told = [group.answered for group in prepared.groups]
    predictions = Predictions(prepared.groups, told, prepared.encoder, prepared.examples.items)
    rows = rows_of(prepared, part)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        for said in run_network(network, prepared.examples, chunk, device_of(network)):
            scorer.update(said)
            gatherer.update(said)
            predictions.add(said)
        for row in chunk.tolist():
            yield predictions.record(row, prepared.corpus, row, prepared.labels, prepared.parsed[row])
