"""Checks of auxiliary tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import NamedTask
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.data.corpus import Corpus, Label, Span
from mtl_core.data.label_space import FoundLabels
from mtl_core.specs import AuxiliarySpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.sample_words import SampleWords
from mtl_core.testing.spec import spec_checks
from mtl_core.training.groups import learn_task

GOOD = ("lovely", "splendid", "grand", "fine")
BAD = ("dreadful", "grim", "sorry", "awful")
THINGS = {"food": ("soup", "bread", "curry"), "service": ("waiter", "host", "cook")}


def auxiliary_checks(spec: AuxiliarySpec, data: AuxiliaryData | None, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.auxiliary_checks`."""
    checks = spec_checks(spec)
    given = sample_data() if data is None else data
    checks.add(
        "tasks", "It creates tasks with distinct names and one label per example.", lambda: _tasks(spec, given)
    )
    checks.add("learnable", "Kind, head and labels are compatible.", lambda: _learnable(spec, given))
    checks.add(
        "repeats",
        "The same data gives the same labels; no random numbers are drawn, the data is unchanged.",
        lambda: _repeats(spec, given),
    )
    checks.add(
        "no-leak",
        "Training labels do not depend on examples outside the training data.",
        lambda: _no_leak(spec, given),
    )
    return checks.without(without)


def sample_data() -> AuxiliaryData:
    """Create one-sentence reviews with a polarity for food or service, some missing; the last six are test data."""
    texts, marks, columns = [], [], {name: list[Label | None]() for name in THINGS}
    for name, things in THINGS.items():
        for polarity, words in (("positive", GOOD), ("negative", BAD)):
            for place, thing in enumerate(things * 2):
                very = "very " * place
                texts.append(f"The {thing} was {very}{words[place % len(words)]}")
                marks.append(None if place == 5 else [Span(4, 4 + len(thing), name)])
                for other, column in columns.items():
                    known: Label | None = polarity if other == name else "absent"
                    column.append(None if place == 5 and other == name else known)
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    corpus = Corpus(
        ids=[str(row) for row in order],
        inputs=[texts[row] for row in order],
        labels={name: [column[row] for row in order] for name, column in columns.items()},
        parts=["train" if place < len(order) - 6 else "test" for place in range(len(order))],
        spans={"things": [marks[row] for row in order]},
    )
    return _analysed(corpus, np.arange(len(order) - 6))


def _analysed(corpus: Corpus, train: NDArray[np.int64]) -> AuxiliaryData:
    encoder = SampleWords()
    parsed = encoder.parse(list(corpus.inputs))
    encoder.fit(parsed[row] for row in train)
    return AuxiliaryData(corpus, dict(corpus.labels), encoder, parsed, train)


def _made(spec: AuxiliarySpec, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
    tasks = spec.tasks(data)
    expect(tasks, "expected at least one task, found none")
    return tasks


def _tasks(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    names = []
    for task in _made(spec, data):
        names.append(task.name)
        own = task.name == spec.task_name or task.name.startswith(spec.task_name)
        expect(own, f"expected a name that starts with '{spec.task_name}', found '{task.name}'")
        if task.kind.reads_inputs:
            expect(
                not task.labels,
                f"expected no labels, since '{task.kind.type}' derives them, found {len(task.labels)}",
            )
            continue
        count = len(data.corpus)
        expect(len(task.labels) == count, f"expected {count} labels of '{task.name}', found {len(task.labels)}")
        held = any(task.labels[row] is not None for row in data.train.tolist())
        expect(held, f"expected training labels of '{task.name}', found none")
        if task.kind.level == "token":
            _check_tokens(task, data)
    expect(len(set(names)) == len(names), f"expected distinct names, found {names}")
    renamed = spec.model_copy(update={"name": "another-name"})
    found = [task.name for task in _made(renamed, data)]
    expect(
        all(name.startswith("another-name") for name in found), f"expected `name` to name the tasks, found {found}"
    )


def _check_tokens(task: AuxiliaryTask, data: AuxiliaryData) -> None:
    for row, label in enumerate(task.labels):
        words = data.words(row)
        fits = label is None or (isinstance(label, list | tuple) and len(label) == len(words))
        expect(fits, f"expected a list with one label for each of {len(words)} words, found {label!r}")


def _learnable(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    for task in _made(spec, data):
        labels = [task.labels[row] for row in data.train.tolist()] if task.labels else []
        known = [label for label in labels if label is not None]
        declared = NamedTask(name=task.name, kind=task.kind, head=task.head, label="auxiliary")
        with seeded(0):
            learned = learn_task(declared, FoundLabels(known, known, vocabulary=data.encoder.vocabulary), spec)
        expect(learned.kind.outputs > 0, f"expected outputs of '{task.name}', found {learned.kind.outputs}")


def _repeats(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    before = {name: list(column) for name, column in data.tasks.items()}
    with seeded(0):
        with left_alone():
            first = _made(spec, data)
        again = _made(type(spec).model_validate(spec.model_dump(mode="json")), data)
    for one, other in zip(first, again, strict=True):
        expect(
            list(one.labels) == list(other.labels), f"expected the same labels of '{one.name}' twice, found others"
        )
        expect(
            one.kind == other.kind and one.head == other.head, f"expected the same kind and head of '{one.name}'"
        )
    after = {name: list(column) for name, column in data.tasks.items()}
    expect(before == after, "expected the labels of the main tasks to be unchanged, found them changed")


def _no_leak(spec: AuxiliarySpec, data: AuxiliaryData) -> None:
    """Replace all examples outside the training data by a short, a medium and a long training example."""
    train = data.train.tolist()
    expect(len(train) < len(data.corpus), "expected examples outside the training data in `data`, found none")
    first = _made(spec, data)
    by_length = sorted(train, key=lambda row: len(data.words(row)))
    for source in (by_length[0], by_length[len(train) // 2], by_length[-1]):
        for one, other in zip(first, _made(spec, _repeated(data, source)), strict=True):
            expect(one.kind == other.kind, f"expected the same kind of '{one.name}' for any test data")
            if one.labels:
                same = [one.labels[row] for row in train] == [other.labels[row] for row in train]
                expect(same, f"expected the same training labels of '{one.name}' for any test data")


def _repeated(data: AuxiliaryData, source: int) -> AuxiliaryData:
    """Return the data with all examples outside the training data replaced by one example."""
    train = set(data.train.tolist())
    rows = [row if row in train else source for row in range(len(data.corpus))]
    labels = {name: [column[row] for row in rows] for name, column in data.corpus.labels.items()}
    corpus = replace(data.corpus, inputs=[data.corpus.inputs[row] for row in rows], labels=labels, groups=())
    tasks = {name: [column[row] for row in rows] for name, column in data.tasks.items()}
    return replace(data, corpus=corpus, tasks=tasks, parsed=[data.parsed[row] for row in rows])
