"""The most confident mistakes of each task, as in `mistakes.jsonl`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import Any

import numpy as np

from mtl_core.artifacts.json_files import write_json_lines
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.mistakes import Mistake
from mtl_core.artifacts.prediction_arrays import PredictionArrays
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.fitted_task import FittedTask
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.prediction import INPUTS_KEY, TOKENS_KEY
from mtl_core.runs.prediction_collector import PredictionCollector
from mtl_core.runs.thumbnails import build_thumbnail

MAX_MISTAKES = 5
"""Number of mistakes kept per task."""
MAX_MISTAKES_OF_ALL = 50
"""Number of mistakes kept of all tasks together, if there are many tasks."""


@dataclass(frozen=True, order=True)
class RankedMistake:
    """A wrong prediction. The smallest is dropped first: the least confident, of equal ones the last.

    Attributes:
        confidence: The probability of the predicted class.
        order: The negative index of the example among the records.
        row: Row index of the example in the corpus.
        label: The predicted class.
        gold: The true class.
    """

    confidence: float
    order: int
    row: int
    label: str
    gold: str


class MistakeCollector:
    """Collects the most confident mistakes of each task from a stream of predictions.

    Only main tasks with one class per example are covered, since they have one probability per prediction.

    Args:
        tasks: All tasks.
    """

    def __init__(self, tasks: Sequence[FittedTask]) -> None:
        self._classes: dict[str, frozenset[str]] = {
            task.name: frozenset(task.space.classes)
            for task in tasks
            if task.auxiliary_spec is None and task.config.kind.level == "example" and task.space.classes
        }
        self._mistakes: dict[str, list[RankedMistake]] = {name: [] for name in self._classes}
        self._has_many_tasks = has_many_tasks(sum(task.auxiliary_spec is None for task in tasks))

    def collect_from_arrays(self, rows: RowIndices, predictions: PredictionArrays) -> None:
        """Collect the mistakes of all tasks whose labels are classes.

        Args:
            rows: `(examples,)`, int64: row indices of the predicted examples, in the same order.
            predictions: The predictions.
        """
        for group in predictions.groups:
            if group.form != "class" or group.gold is None or group.probabilities is None:
                continue
            predicted = np.take_along_axis(
                group.probabilities, group.labels[:, :, np.newaxis].astype(np.int64), axis=2
            )[:, :, 0]
            confidences = np.round(predicted.astype(np.float64), 6)
            is_class = (group.gold >= 0) & (group.gold < group.probabilities.shape[2])
            ranks = np.where(is_class & (group.gold != group.labels), confidences, -1.0)
            for column, name in enumerate(group.tasks):
                if name not in self._classes:
                    continue
                classes = group.classes[column]
                for index in np.argsort(-ranks[:, column], kind="stable")[:MAX_MISTAKES].tolist():
                    if ranks[index, column] >= 0:
                        label, gold = (classes[int(codes[index, column])] for codes in (group.labels, group.gold))
                        mistake = RankedMistake(float(ranks[index, column]), -index, int(rows[index]), label, gold)
                        self._mistakes[name].append(mistake)

    def collect(self, rows: RowIndices, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass records through, and collect their mistakes.

        Args:
            rows: `(examples,)`, int64: row indices of the records, in the same order.
            records: Records as in `predictions.jsonl`.

        Yields:
            Each record, unchanged.
        """
        for index, (row, record) in enumerate(zip(rows.tolist(), records, strict=True)):
            for name, entry in record["tasks"].items():
                self._add(name, entry, row, index)
            yield record

    def _add(self, name: str, entry: Mapping[str, Any], row: int, index: int) -> None:
        label, gold = entry["label"], entry.get("gold")
        if label == gold or not isinstance(gold, str) or gold not in self._classes.get(name, ()):
            return
        confidence = entry["probabilities"].get(label) if isinstance(label, str) else None
        if confidence is None:
            return
        mistakes, mistake = self._mistakes[name], RankedMistake(confidence, -index, row, label, gold)
        if len(mistakes) < MAX_MISTAKES:
            heappush(mistakes, mistake)
        else:
            heappushpop(mistakes, mistake)

    def write(self, run: RunDirectory, network: MultiTaskNetwork, data: FittedData) -> None:
        """Write `mistakes.jsonl`, sorted by task and then by decreasing confidence; of many tasks by confidence only.

        The network predicts these examples again to get the attention weights of heads that have attention.
        """
        mistakes = self._select_mistakes()
        record_by_row = self._predict_mistakes(network, data, mistakes)
        records = (
            _build_record(
                name, mistake, record_by_row[mistake.row], build_thumbnail(data.encoder, data.parsed[mistake.row])
            )
            for name, mistake in mistakes
        )
        write_atomically(run.mistakes, lambda path: write_json_lines(path, records))

    def _select_mistakes(self) -> list[tuple[str, RankedMistake]]:
        """Return the name of the task and the mistake, in the order of the file."""
        mistakes = [(name, one) for name in self._mistakes for one in sorted(self._mistakes[name], reverse=True)]
        if not self._has_many_tasks:
            return mistakes
        return sorted(mistakes, key=lambda pair: -pair[1].confidence)[:MAX_MISTAKES_OF_ALL]

    def _predict_mistakes(
        self, network: MultiTaskNetwork, data: FittedData, mistakes: Sequence[tuple[str, RankedMistake]]
    ) -> dict[int, dict[str, Any]]:
        rows, names = sorted({mistake.row for _, mistake in mistakes}), {name for name, _ in mistakes}
        active_groups = [any(task.name in self._classes for task in group.tasks) for group in data.groups]
        task_names = frozenset(names if self._has_many_tasks else self._classes)
        predictions = PredictionCollector(
            data.groups, active_groups, data.encoder, data.examples.items, True, task_names
        )
        row_indices: RowIndices = np.array(rows, dtype=np.int64)
        for batch_outputs in run_network(network, data.examples, row_indices, get_device(network), active_groups):
            predictions.add(batch_outputs)
        return {row: predictions.pop_record(row, data.corpus, row, {}, data.parsed[row]) for row in rows}


def _build_record(
    name: str, mistake: RankedMistake, prediction: Mapping[str, Any], image: str | None
) -> dict[str, Any]:
    return Mistake(
        task=name,
        id=prediction["id"],
        text=prediction["text"],
        image=image,
        inputs=prediction.get(INPUTS_KEY),
        tokens=prediction.get(TOKENS_KEY) or None,
        label=mistake.label,
        gold=mistake.gold,
        confidence=mistake.confidence,
        attention=prediction["tasks"][name].get("attention"),
    ).to_record()
