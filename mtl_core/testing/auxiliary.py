"""Checks of auxiliary tasks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.config.tasks import NamedTask
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.data.corpus import Corpus, Label, Span
from mtl_core.data.encoder import Encoder
from mtl_core.data.fitted_task import fit_task
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.plugins.specs import AuxiliarySpec
from mtl_core.testing.checks import Checks, expect
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.spec import spec_checks

POSITIVE_WORDS = ("lovely", "splendid", "grand", "fine")

NEGATIVE_WORDS = ("dreadful", "grim", "sorry", "awful")

ASPECT_TERMS = {"food": ("soup", "bread", "curry"), "service": ("waiter", "host", "cook")}


def auxiliary_checks(spec: AuxiliarySpec, data: AuxiliaryData | None, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.auxiliary_checks`."""
    checks = spec_checks(spec)
    auxiliary_data = create_sample_data() if data is None else data
    checks.add(
        "tasks",
        "It creates tasks with distinct names and one label per example.",
        lambda: _check_tasks(spec, auxiliary_data),
    )
    checks.add("learnable", "Kind, head and labels are compatible.", lambda: _check_learnable(spec, auxiliary_data))
    checks.add(
        "deterministic",
        "The same data gives the same labels; no random numbers are drawn, the data is unchanged.",
        lambda: _check_deterministic(spec, auxiliary_data),
    )
    checks.add(
        "no-leak",
        "Training labels do not depend on examples outside the training data.",
        lambda: _check_no_leak(spec, auxiliary_data),
    )
    return checks.skip_checks(skip)


def create_sample_data() -> AuxiliaryData:
    """Create one-sentence reviews with a polarity for food or service, some missing; the last six are test data."""
    texts, spans, columns = [], [], {name: list[Label | None]() for name in ASPECT_TERMS}
    for name, terms in ASPECT_TERMS.items():
        for polarity, words in (("positive", POSITIVE_WORDS), ("negative", NEGATIVE_WORDS)):
            for index, term in enumerate(terms * 2):
                intensifier = "very " * index
                texts.append(f"The {term} was {intensifier}{words[index % len(words)]}")
                spans.append(None if index == 5 else [Span(4, 4 + len(term), name)])
                for column_name, column in columns.items():
                    label: Label | None = polarity if column_name == name else "absent"
                    column.append(None if index == 5 and column_name == name else label)
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    corpus = Corpus(
        ids=[str(row) for row in order],
        inputs=[texts[row] for row in order],
        labels={name: [column[row] for row in order] for name, column in columns.items()},
        splits=["train" if index < len(order) - 6 else "test" for index in range(len(order))],
        spans={"things": [spans[row] for row in order]},
    )
    return _build_data(corpus, np.arange(len(order) - 6))


def _build_data(corpus: Corpus, train: NDArray[np.int64]) -> AuxiliaryData:
    encoder = SampleWordEncoder()
    parsed = encoder.parse(list(corpus.inputs))
    encoder.fit(parsed[row] for row in train)
    return AuxiliaryData(corpus, dict(corpus.labels), encoder, parsed, train)


def _build_tasks(spec: AuxiliarySpec, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
    tasks = spec.build_tasks(data)
    expect(tasks, "expected at least one task, found none")
    return tasks


def _check_tasks(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    names = []
    for task in _build_tasks(spec, data):
        names.append(task.name)
        has_prefix = task.name == spec.task_name or task.name.startswith(spec.task_name)
        expect(has_prefix, f"expected a name that starts with '{spec.task_name}', found '{task.name}'")
        if task.kind.reads_inputs:
            expect(
                not task.labels,
                f"expected no labels, since '{task.kind.type}' derives them, found {len(task.labels)}",
            )
            continue
        n_examples = len(data.corpus)
        expect(
            len(task.labels) == n_examples,
            f"expected {n_examples} labels of '{task.name}', found {len(task.labels)}",
        )
        has_label = any(task.labels[row] is not None for row in data.train_rows.tolist())
        expect(has_label, f"expected training labels of '{task.name}', found none")
        if task.kind.level == "token":
            _check_tokens(task, data)
    expect(len(set(names)) == len(names), f"expected distinct names, found {names}")
    renamed = spec.model_copy(update={"name": "another-name"})
    task_names = [task.name for task in _build_tasks(renamed, data)]
    expect(
        all(name.startswith("another-name") for name in task_names),
        f"expected `name` to name the tasks, found {task_names}",
    )


def _check_tokens(task: AuxiliaryTask, data: AuxiliaryData) -> None:
    for row, label in enumerate(task.labels):
        words = data.words(row)
        is_valid = label is None or (isinstance(label, list | tuple) and len(label) == len(words))
        expect(is_valid, f"expected a list with one label for each of {len(words)} words, found {label!r}")


def _check_learnable(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    for task in _build_tasks(spec, data):
        labels = [task.labels[row] for row in data.train_rows.tolist()] if task.labels else []
        present_labels = [label for label in labels if label is not None]
        named_task = NamedTask(name=task.name, kind=task.kind, head=task.head, label="auxiliary")
        with temporary_seed(0):
            fitted_task = fit_task(
                named_task,
                LabelStatistics(present_labels, present_labels, vocabulary=data.encoder.vocabulary),
                spec,
            )
        expect(fitted_task.kind.n_outputs > 0, f"expected outputs of '{task.name}', found {fitted_task.kind.n_outputs}")


def _check_deterministic(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    before = {name: list(column) for name, column in data.task_labels.items()}
    with temporary_seed(0):
        with preserves_rng_state():
            first = _build_tasks(spec, data)
        second = _build_tasks(type(spec).model_validate(spec.model_dump(mode="json")), data)
    for one, other in zip(first, second, strict=True):
        expect(list(one.labels) == list(other.labels), f"expected the same labels of '{one.name}' twice, found others")
        expect(one.kind == other.kind and one.head == other.head, f"expected the same kind and head of '{one.name}'")
    after = {name: list(column) for name, column in data.task_labels.items()}
    expect(before == after, "expected the labels of the main tasks to be unchanged, found them changed")


def _check_no_leak(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    """Replace all examples outside the training data by a short, a medium and a long training example."""
    train = data.train_rows.tolist()
    expect(len(train) < len(data.corpus), "expected examples outside the training data in `data`, found none")
    first = _build_tasks(spec, data)
    by_length = sorted(train, key=lambda row: len(data.words(row)))
    for source in (by_length[0], by_length[len(train) // 2], by_length[-1]):
        for one, other in zip(first, _build_tasks(spec, _replace_examples(data, source)), strict=True):
            expect(one.kind == other.kind, f"expected the same kind of '{one.name}' for any test data")
            if one.labels:
                is_same = [one.labels[row] for row in train] == [other.labels[row] for row in train]
                expect(is_same, f"expected the same training labels of '{one.name}' for any test data")


def _replace_examples(data: AuxiliaryData, source: int) -> AuxiliaryData:
    """Return the data with all examples outside the training data replaced by one example."""
    train = set(data.train_rows.tolist())
    rows = [row if row in train else source for row in range(len(data.corpus))]
    labels = {name: [column[row] for row in rows] for name, column in data.corpus.labels.items()}
    corpus = replace(data.corpus, inputs=[data.corpus.inputs[row] for row in rows], labels=labels, groups=())
    tasks = {name: [column[row] for row in rows] for name, column in data.task_labels.items()}
    return replace(data, corpus=corpus, task_labels=tasks, parsed=[data.parsed[row] for row in rows])


Words = tuple[str, ...]


class SampleWordEncoder(Encoder[Words, list[int]]):
    """Splits texts at white space, and encodes words as vocabulary indices."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def parse(self, inputs: Sequence[Any]) -> list[Words]:
        """Split texts at white space."""
        return [tuple(str(value).split()) for value in inputs]

    def fit(self, parsed: Iterable[Words]) -> None:
        """Build the vocabulary, most frequent words first."""
        counts = Counter(word for words in parsed for word in words)
        self._words = [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]

    def encode(self, parsed: Sequence[Words]) -> list[list[int]]:
        """Return vocabulary indices; the vocabulary size for words outside it."""
        indices = {word: index for index, word in enumerate(self._words)}
        return [[indices.get(word, len(indices)) for word in words] for words in parsed]

    def length(self, item: list[int]) -> int:
        """Return the number of words."""
        return len(item)

    def collate(self, items: Sequence[list[int]]) -> torch.Tensor:
        """Return `(batch, length)`, int64; -1 at padding."""
        longest = max(map(len, items))
        return torch.tensor([[*item, *[-1] * (longest - len(item))] for item in items])

    def input_layer(self) -> nn.Module:
        """Raise `NotImplementedError`: the batches are not fed into a network."""
        raise NotImplementedError("this encoder is for deriving labels only")

    def words(self, parsed: Words) -> list[str]:
        """Return the words."""
        return list(parsed)

    @property
    def vocabulary(self) -> Sequence[str]:
        """The words that it was fitted on, most frequent first."""
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the batch, with -1 for words outside the vocabulary."""
        return torch.where(inputs < len(self._words), inputs, -1)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the vocabulary."""
        self._words = list(state["words"])
