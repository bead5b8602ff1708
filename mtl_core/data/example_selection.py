"""Selection of the training examples, and warnings about excluded examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.config.tasks import NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.experiment_data import compute_label_mask
from mtl_core.data.metadata_leaks import find_metadata_leaks
from mtl_core.data.split_overlap import has_shared_input
from mtl_core.data.splitting import Split
from mtl_core.errors import join_names
from mtl_core.plugins.specs import SplitterSpec

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ExamplePartition:
    """Partition of the training examples by input and labels.

    Attributes:
        labelled: `(examples,)`, bool: whether the input is not empty and a main task has a label.
        unlabelled: `(n,)`, int64: training examples with an input but without a main label.
        empty: `(n,)`, int64: training examples with an empty input.
    """

    labelled: NDArray[np.bool_]
    unlabelled: Rows
    empty: Rows

    def describe_excluded(self, corpus: Corpus, split: Split) -> list[str]:
        """Return warnings about training examples that main tasks do not train on."""
        warnings = []
        if len(self.empty):
            warnings.append(
                f"{len(self.empty)} training examples have an empty input and are set aside "
                f"({_format_ids(corpus, self.empty)})"
            )
        auxiliary_only = split.auxiliary_only
        if len(auxiliary_only):
            warnings.append(
                f"{len(auxiliary_only)} training examples have no label for any main task; "
                f"auxiliary tasks train on them ({_format_ids(corpus, auxiliary_only)})"
            )
        excluded = np.setdiff1d(self.unlabelled, split.auxiliary_only)
        if len(excluded):
            warnings.append(
                f"{len(excluded)} training examples have no label for any task and are set aside "
                f"({_format_ids(corpus, excluded)})"
            )
        return warnings


def partition_examples(
    corpus: Corpus,
    declared: Sequence[NamedTask],
    labels: Mapping[str, Sequence[Label | None]],
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> ExamplePartition:
    """Partition the training examples by input and labels.

    Args:
        corpus: All examples.
        declared: The main tasks.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        encoder: The encoder, which detects empty inputs.
        parsed: The parsed inputs.
    """
    rows = corpus.get_row_indices("train")
    labelled = compute_label_mask(declared, labels, len(corpus))
    empty = np.fromiter((encoder.is_empty(value) for value in parsed), dtype=bool, count=len(corpus))
    return ExamplePartition(labelled & ~empty, rows[~labelled[rows] & ~empty[rows]], rows[empty[rows]])


def drop_leaked_rows(corpus: Corpus, split: Split, splitter: SplitterSpec, rows: Rows) -> Rows:
    """Return the rows that share neither an input with a validation or test example nor what the splitter separates."""
    rows = rows[~has_shared_input(corpus.groups, rows, np.concatenate([split.validation, split.test]))]
    for held_out in (split.validation, split.test):
        rows = rows[~find_metadata_leaks(corpus, splitter, rows, held_out)]
    return rows


def describe_unused_test(corpus: Corpus, splitter: SplitterSpec) -> list[str]:
    """Return a note if the data has a test split that is not used."""
    rows = corpus.get_row_indices("test")
    if not len(rows) or not splitter.replaces_test:
        return []
    return [f"the test split of the data ({len(rows)} examples) is not used: the held-out fold is the test split"]


def describe_unlabelled(active_tasks: Sequence[str], split: Split) -> list[str]:
    """Return a warning if training examples have no label for any task in `active_tasks`."""
    n_unlabelled = len(split.train) - len(split.select_labelled(split.train))
    if not n_unlabelled:
        return []
    return [
        f"{n_unlabelled} training examples have no label for an active task ({_join_tasks(active_tasks)}) "
        "and are not visited"
    ]


def _join_tasks(names: Sequence[str]) -> str:
    """Join the names of few tasks; of many tasks only the first ones."""
    return join_names(names, 5 if has_many_tasks(len(names)) else len(names))


def describe_unsampled(sources: Iterable[str], corpus: Corpus, split: Split) -> list[str]:
    """Return a warning per data set from which no batch is sampled."""
    names = list(sources)
    if len(names) < 2:
        return []
    sampled = {corpus.sources[row] for row in split.all_training_rows.tolist()}
    return [
        f"data set '{name}': no training example, so no batch is sampled from it"
        for name in names
        if name not in sampled
    ]


def _format_ids(corpus: Corpus, rows: Rows) -> str:
    return join_names([corpus.ids[row] for row in rows.tolist()], 5)
