"""The most confident mistakes of each task, as in `mistakes.jsonl`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import Any

import numpy as np

from mtl_core.atomic import write_atomically
from mtl_core.evaluation.outputs import run_network
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.answers import MADE_OF_TOKENS
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.predictions import Predictions
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.results import write_json_lines
from mtl_core.runs.saved import device_of
from mtl_core.training.batches import Rows
from mtl_core.training.groups import LearnedTask

KEPT = 5
"""Number of mistakes kept per task."""


@dataclass(frozen=True, order=True)
class Mistake:
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


class Mistakes:
    """Collects the most confident mistakes of each task from a stream of predictions.

    Only main tasks with one class per example are covered, since they have one probability per prediction.

    Args:
        tasks: All tasks.
    """

    def __init__(self, tasks: Sequence[LearnedTask]) -> None:
        self._classes: dict[str, frozenset[str]] = {
            task.name: frozenset(task.space.classes)
            for task in tasks
            if task.auxiliary is None and task.declared.kind.level == "example" and task.space.classes
        }
        self._kept: dict[str, list[Mistake]] = {name: [] for name in self._classes}

    def watched(self, rows: Rows, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass records through, and collect their mistakes.

        Args:
            rows: `(examples,)`, int64: row indices of the records, in the same order.
            records: Records as in `predictions.jsonl`.

        Yields:
            Each record, unchanged.
        """
        for place, (row, record) in enumerate(zip(rows.tolist(), records, strict=True)):
            for name, entry in record["tasks"].items():
                self._see(name, entry, row, place)
            yield record

    def _see(self, name: str, entry: Mapping[str, Any], row: int, place: int) -> None:
        label, gold = entry["label"], entry.get("gold")
        if label == gold or not isinstance(gold, str) or gold not in self._classes.get(name, ()):
            return
        confidence = entry["probabilities"].get(label) if isinstance(label, str) else None
        if confidence is None:
            return
        kept, mistake = self._kept[name], Mistake(confidence, -place, row, label, gold)
        if len(kept) < KEPT:
            heappush(kept, mistake)
        else:
            heappushpop(kept, mistake)

    def write(self, run: RunDirectory, network: MultiTaskNetwork, prepared: Prepared) -> None:
        """Write `mistakes.jsonl`, sorted by task and then by decreasing confidence.

        The network predicts these examples again to get the attention weights of heads that have attention.
        """
        told = self._looked_at_again(network, prepared)
        records = (
            _record(name, mistake, told[mistake.row])
            for name, kept in self._kept.items()
            for mistake in sorted(kept, reverse=True)
        )
        write_atomically(run.mistakes, lambda path: write_json_lines(path, records))

    def _looked_at_again(self, network: MultiTaskNetwork, prepared: Prepared) -> dict[int, dict[str, Any]]:
        rows = sorted({mistake.row for kept in self._kept.values() for mistake in kept})
        asked = [any(task.name in self._classes for task in group.tasks) for group in prepared.groups]
        predictions = Predictions(prepared.groups, asked, prepared.encoder, prepared.examples.items, True)
        wanted: Rows = np.array(rows, dtype=np.int64)
        for said in run_network(network, prepared.examples, wanted, device_of(network), asked):
            predictions.add(said)
        return {row: predictions.record(row, prepared.corpus, row, {}, prepared.parsed[row]) for row in rows}


def _record(name: str, mistake: Mistake, told: Mapping[str, Any]) -> dict[str, Any]:
    record = {"task": name, "id": told["id"], "text": told["text"]}
    if told.get(MADE_OF_TOKENS):
        record["tokens"] = told[MADE_OF_TOKENS]
    record |= {"label": mistake.label, "gold": mistake.gold, "confidence": mistake.confidence}
    attention = told["tasks"][name].get("attention")
    return record if attention is None else {**record, "attention": attention}
