"""Scoring a saved run on data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_core.data.corpus import Corpus
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.evaluation.outputs import run_network
from mtl_core.evaluation.scores import Scores, score
from mtl_core.runs.prepare import encode_targets, parse_distinct, prepare
from mtl_core.runs.saved import SavedRun, device_of
from mtl_core.training.batches import Examples


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and on what."""

    scores: Scores
    corpus: Corpus
    examples: int


def evaluate_file(saved: SavedRun, path: Path) -> Evaluation:
    """Score a saved run on a file of the loader's format.

    Raises:
        MtlError: If the file is malformed, has no label for any task, or has labels that training never saw.
    """
    return _evaluate(saved, saved.config.data.load_file(path, saved.columns), str(path))


def evaluate_test_part(saved: SavedRun) -> Evaluation:
    """Score a saved run on the test part of its own data, read and split again.

    Raises:
        MtlError: If the run has no test part.
    """
    prepared = prepare(saved.config)
    corpus, rows = prepared.corpus, prepared.split.test.tolist()
    if not rows:
        raise MtlError("the run's data has no test part; name a file with --data")
    part = Corpus(
        ids=[corpus.ids[row] for row in rows],
        inputs=[corpus.inputs[row] for row in rows],
        labels={name: [column[row] for row in rows] for name, column in corpus.labels.items()},
        parts=["test"] * len(rows),
        origins=[corpus.origins[row] for row in rows],
        notice=corpus.notice,
        findings=corpus.findings,
    )
    return _evaluate(saved, part, "the run's test part")


def _evaluate(saved: SavedRun, corpus: Corpus, name: str) -> Evaluation:
    known = set(saved.columns)
    masked = _masked(saved)
    strange = [
        name
        for name, column in corpus.labels.items()
        if saved.derives_tasks and name not in known and any(value not in (None, *masked) for value in column)
    ]
    if strange:
        column = corpus.labels[strange[0]]
        row = next(row for row in range(len(corpus)) if column[row] not in (None, *masked))
        raise MtlError(
            f"{corpus.origins[row]}: '{strange[0]}' is a label column that training never saw"
            f"{did_you_mean(strange[0], known)} (known: {listed(sorted(known))})"
        )
    items = saved.encoder.encode(parse_distinct(saved.encoder, corpus))
    targets = encode_targets(corpus, saved.groups)
    if not any(bool(group.mask(table).any()) for group, table in zip(saved.groups, targets, strict=True)):
        raise MtlError(f"{name}: has no label for any task of the run (tasks: {listed(sorted(known))})")
    examples = Examples(saved.encoder, items, targets)
    rows = np.arange(len(corpus), dtype=np.int64)
    outputs = run_network(saved.network, examples, rows, device_of(saved.network))
    scores = score(saved.groups, [group.outputs for group in outputs], targets)
    return Evaluation(scores, corpus, len(corpus))


def _masked(saved: SavedRun) -> set[str]:
    """Labels that say that a task has nothing to say."""
    return {label for group in saved.groups for label in group.tasks[0].declared.mask.excluded()}
