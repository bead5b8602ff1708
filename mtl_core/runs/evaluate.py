"""Evaluation of a saved run on data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_core.data.columns import distinct
from mtl_core.data.corpus import Corpus
from mtl_core.data.label_space import data_label
from mtl_core.data.parsing import encode_inputs, item_lengths, parse_inputs
from mtl_core.data.tasks import task_labels
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.evaluation.outputs import run_network
from mtl_core.evaluation.scores import Scorer, Scores
from mtl_core.runs.encoding import encode_targets
from mtl_core.runs.prepare import TaskLabels, prepare
from mtl_core.runs.saved import SavedRun, device_of, label_columns_of
from mtl_core.training.batches import Examples, Rows


@dataclass(frozen=True)
class Evaluation:
    """The scores of an evaluation, and the evaluated data."""

    scores: Scores
    corpus: Corpus
    examples: int


def evaluate_file(saved: SavedRun, path: Path, data_set: str | None = None) -> Evaluation:
    """Evaluate a saved run on a file in the format of its loader.

    Args:
        saved: The run.
        path: The file.
        data_set: Name of the data set whose loader reads the file; required if the run has several.

    Raises:
        MtlError: If the file is malformed, has no label for any task, or has labels that training never saw.
    """
    if len(saved.config.sources) > 1 and data_set is None:
        raise MtlError(
            f"the run has several data sets; name the one that the file belongs to with --data-set NAME "
            f"(data sets: {listed(saved.config.sources)})"
        )
    loader, tasks = saved.loader(data_set), saved.tasks_of(data_set)
    columns = label_columns_of(tasks)
    corpus = loader.load_file(path, columns)
    _refuse_new_columns(saved, corpus)
    labels = {
        task.name: task_labels(task.declared, corpus) for task in tasks if not task.declared.kind.reads_inputs
    }
    rows = np.arange(len(corpus), dtype=np.int64)
    needed = len(labels) == len(tasks)  # a task that learns from inputs needs no labels
    if needed and not any(
        data_label(value, task.declared.mask.excluded()) for task in tasks for value in distinct(labels[task.name])
    ):
        raise MtlError(f"{path}: has no label for any task of the run (label columns: {listed(sorted(columns))})")
    return _evaluate(saved, corpus, labels, rows)


def evaluate_test_part(saved: SavedRun) -> Evaluation:
    """Evaluate a saved run on the test split of its own data, which is loaded and split again.

    Raises:
        MtlError: If the run has no test split.
    """
    prepared = prepare(saved.config)
    if not len(prepared.split.test):
        raise MtlError("the run's data has no test split; name a file with --data")
    return _evaluate(saved, prepared.corpus, prepared.labels, prepared.split.test)


def _refuse_new_columns(saved: SavedRun, corpus: Corpus) -> None:
    known = set(saved.columns)
    silent = (None, *(label for task in saved.main_tasks for label in task.declared.mask.excluded()))
    for name, column in corpus.labels.items():
        if not saved.derives_tasks or name in known:
            continue
        row = next((row for value, row in distinct(column).items() if value not in silent), None)
        if row is not None:
            raise MtlError(
                f"{corpus.origins[row]}: '{name}' is a label column that training never saw"
                f"{did_you_mean(name, known)} (known: {listed(sorted(known))})"
            )


def _evaluate(saved: SavedRun, corpus: Corpus, labels: TaskLabels, rows: Rows) -> Evaluation:
    parsed = parse_inputs(saved.encoder, corpus)
    items = encode_inputs(saved.encoder, parsed)
    missing: list[None] = [None] * len(corpus)
    whole = {task.name: labels.get(task.name, missing) for group in saved.groups for task in group.tasks}
    targets = encode_targets(saved.groups, whole, corpus, saved.encoder, parsed, items)
    examples = Examples(saved.encoder, items, item_lengths(saved.encoder, corpus, items), targets)
    scorer = Scorer(saved.groups)
    asked = [not group.auxiliary for group in saved.groups]
    for said in run_network(saved.network, examples, rows, device_of(saved.network), asked):
        scorer.update(said)
    scores = scorer.scores()
    return Evaluation(Scores(scores.tasks, scores.overall), corpus, len(rows))
