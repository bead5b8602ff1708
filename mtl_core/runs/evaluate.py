"""Evaluation of a saved run on data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_core.data.batches import RowIndices
from mtl_core.data.columns import find_first_rows
from mtl_core.data.corpus import Corpus
from mtl_core.data.fitted_data import TaskLabels
from mtl_core.data.label_space import is_valid_label
from mtl_core.data.parsing import parse_inputs
from mtl_core.data.target_encoding import encode_examples
from mtl_core.data.task_labels import get_task_labels
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.evaluation.scorer import compute_scores
from mtl_core.evaluation.scores import Scores
from mtl_core.runs.prepare_run import prepare_run
from mtl_core.runs.saved_run import SavedRun, list_label_columns


@dataclass(frozen=True)
class Evaluation:
    """The scores of an evaluation, and the evaluated data."""

    scores: Scores
    corpus: Corpus
    n_examples: int


def evaluate_file(saved_run: SavedRun, path: Path, data_set: str | None = None) -> Evaluation:
    """Evaluate a saved run on a file in the format of its loader.

    Args:
        saved_run: The run.
        path: The file.
        data_set: Name of the data set whose loader reads the file; required if the run has several.

    Raises:
        MtlError: If the file is malformed, has no label for any task, or has labels that training never saw.
    """
    if len(saved_run.config.loaders) > 1 and data_set is None:
        raise MtlError(
            f"the run has several data sets; name the one that the file belongs to with --data-set NAME "
            f"(data sets: {join_names(saved_run.config.loaders)})"
        )
    corpus = saved_run.get_loader(data_set).load_file(path, list_label_columns(saved_run.get_tasks(data_set)))
    return evaluate_corpus(saved_run, corpus, str(path), data_set)


def evaluate_corpus(saved_run: SavedRun, corpus: Corpus, name: str, data_set: str | None = None) -> Evaluation:
    """Evaluate a saved run on all examples of a corpus.

    Args:
        saved_run: The run.
        corpus: The examples, with label columns of the run.
        name: The name of the data, for messages.
        data_set: Name of the data set whose tasks are evaluated; the first one by default.

    Raises:
        MtlError: If there is no label for any task, or there are labels that training never saw.
    """
    tasks = saved_run.get_tasks(data_set)
    _check_label_columns(saved_run, corpus)
    labels = {task.name: get_task_labels(task.config, corpus) for task in tasks if not task.config.kind.reads_inputs}
    rows = np.arange(len(corpus), dtype=np.int64)
    needs_labels = len(labels) == len(tasks)  # a task that learns from inputs needs no labels
    if needs_labels and not any(
        is_valid_label(value, task.config.mask.list_excluded_labels())
        for task in tasks
        for value in find_first_rows(labels[task.name])
    ):
        columns = sorted(list_label_columns(tasks))
        raise MtlError(f"{name}: has no label for any task of the run (label columns: {join_names(columns)})")
    return _evaluate(saved_run, corpus, labels, rows)


def evaluate_test_split(saved_run: SavedRun) -> Evaluation:
    """Evaluate a saved run on the test split of its own data, which is loaded and split again.

    Raises:
        MtlError: If the run has no test split.
    """
    data = prepare_run(saved_run.config)
    if not len(data.split.test):
        raise MtlError("the run's data has no test split; name a file with --data")
    return _evaluate(saved_run, data.corpus, data.labels, data.split.test)


def _check_label_columns(saved_run: SavedRun, corpus: Corpus) -> None:
    known = set(saved_run.label_columns)
    ignored_labels = (
        None,
        *(label for task in saved_run.main_tasks for label in task.config.mask.list_excluded_labels()),
    )
    for name, column in corpus.labels.items():
        if not saved_run.derives_tasks or name in known:
            continue
        row = next((row for value, row in find_first_rows(column).items() if value not in ignored_labels), None)
        if row is not None:
            raise MtlError(
                f"{corpus.locations[row]}: '{name}' is a label column that training never saw"
                f"{did_you_mean(name, known)} (known: {join_names(sorted(known))})"
            )


def _evaluate(saved_run: SavedRun, corpus: Corpus, labels: TaskLabels, rows: RowIndices) -> Evaluation:
    parsed = parse_inputs(saved_run.encoder, corpus)
    missing_labels: list[None] = [None] * len(corpus)
    all_labels = {
        task.name: labels.get(task.name, missing_labels) for group in saved_run.groups for task in group.tasks
    }
    examples = encode_examples(saved_run.groups, all_labels, corpus, saved_run.encoder, parsed)
    active_groups = [not group.is_auxiliary for group in saved_run.groups]
    scores = compute_scores(saved_run.network, examples, rows, saved_run.groups, active_groups)
    return Evaluation(Scores(scores.tasks, scores.overall), corpus, len(rows))
