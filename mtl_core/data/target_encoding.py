"""Encoding of labels as tables of targets and weights."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.batches import Examples
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.dense_targets import encode_dense_targets
from mtl_core.data.encoder import Encoder
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.parsing import compute_item_lengths, encode_inputs
from mtl_core.data.subwords import expand_to_subwords
from mtl_core.data.targets import ExampleTargets, InputTargets, TargetTable, TokenTargets
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError, join_names


def encode_examples(
    groups: Sequence[TaskGroup],
    labels: Mapping[str, Sequence[Label | None]],
    corpus: Corpus,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> Examples:
    """Encode parsed inputs, labels and label weights; arguments as in `encode_targets`."""
    items = encode_inputs(encoder, parsed, corpus.locations)
    lengths = compute_item_lengths(encoder, corpus, items)
    targets = encode_targets(groups, labels, corpus, encoder, parsed, items)
    return Examples(encoder, items, lengths, targets, build_label_weights(groups, corpus))


def encode_targets(
    groups: Sequence[TaskGroup],
    labels: Mapping[str, Sequence[Label | None]],
    corpus: Corpus,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
    items: Sequence[Any],
) -> list[TargetTable]:
    """Encode the labels of each head group as targets.

    Args:
        groups: The head groups.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        corpus: The examples, with their locations for messages.
        encoder: Maps tokens to words for token-level tasks.
        parsed: The parsed inputs.
        items: The encoded inputs.

    Returns:
        One table per group.

    Raises:
        MtlError: If a label is not in the label space of its task, or the number of labels and words differ.
    """
    tables: list[TargetTable] = []
    for group in groups:
        kind = group.tasks[0].config.kind
        if kind.reads_inputs:
            tables.append(InputTargets([task.kind for task in group.tasks]))
        elif kind.level == "pixel":
            tables.append(encode_dense_targets(group.tasks, labels, corpus, encoder.image_size))
        elif kind.level == "token":
            tables.append(_encode_token_targets(group, labels, corpus, encoder, parsed, items))
        else:
            tables.append(ExampleTargets(torch.from_numpy(_encode_label_columns(group, labels, corpus.locations))))
    return tables


def build_label_weights(groups: Sequence[TaskGroup], corpus: Corpus) -> list[torch.Tensor | None]:
    """Return the label weights per group, `(examples, tasks)`, float32; None for a group with equal weights."""
    tables: list[torch.Tensor | None] = []
    for group in groups:
        columns = [corpus.weights.get(task.config.column) for task in group.tasks]
        if all(column is None for column in columns):
            tables.append(None)
            continue
        ones = np.ones(len(corpus))
        rows = [np.asarray(ones if column is None else column, dtype=np.float32) for column in columns]
        tables.append(torch.from_numpy(np.stack(rows, axis=1)))
    return tables


def _encode_labels(task: FittedTask, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[Any]:
    try:
        return task.space.encode(labels, locations)
    except MtlError as error:
        raise MtlError(f"task '{task.name}': {error}") from error


def _encode_label_columns(
    group: TaskGroup, labels: Mapping[str, Sequence[Label | None]], locations: Sequence[str]
) -> NDArray[Any]:
    """Return the targets of a group, `(examples, tasks, ...)`, without a second copy of all of them."""
    columns = (_encode_labels(task, labels[task.name], locations) for task in group.tasks)
    first = next(columns)
    table = np.empty((len(first), len(group.tasks), *first.shape[1:]), dtype=first.dtype)
    for index, column in enumerate(chain([first], columns)):
        table[:, index] = column
    return table


def _encode_token_targets(
    group: TaskGroup,
    labels: Mapping[str, Sequence[Label | None]],
    corpus: Corpus,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
    items: Sequence[Any],
) -> TokenTargets:
    lengths = np.fromiter((encoder.length(item) for item in items), dtype=np.int64, count=len(corpus))
    columns = [list(_iterate_token_labels(task, labels[task.name], corpus, encoder, parsed)) for task in group.tasks]
    dtype = group.tasks[0].space.encode([], ()).dtype
    return TokenTargets(columns, lengths, dtype)


def _iterate_token_labels(
    task: FittedTask,
    labels: Sequence[Label | None],
    corpus: Corpus,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> Iterator[NDArray[Any] | None]:
    """Encode the word labels of each example, and keep those of the words that the network reads."""
    for row, label in enumerate(labels):
        if label is None:
            yield None
            continue
        words = encoder.words(parsed[row])
        if not words and label:
            raise MtlError(
                f"{corpus.locations[row]}: task '{task.name}' labels words, but the encoder finds none in this input"
            )
        if not isinstance(label, list | tuple) or len(label) != len(words):
            description = f"{len(label)} labels" if isinstance(label, list | tuple) else f"one label ({label!r})"
            raise MtlError(
                f"{corpus.locations[row]}: task '{task.name}' has {description} for {len(words)} words "
                f"({join_names(words, 8)}); expected a list with one label per word, null for a missing label"
            )
        codes = _encode_labels(task, label, _WordLocations(corpus.locations[row], words))
        yield expand_to_subwords(codes[encoder.token_to_word(parsed[row])], encoder.subword_to_token(parsed[row]))


class _WordLocations(Sequence[str]):
    """The location of each label of an example, formatted on access."""

    def __init__(self, location: str, words: Sequence[str]) -> None:
        self._location = location
        self._words = words

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._location}, word {index + 1} ('{self._words[index]}')"
