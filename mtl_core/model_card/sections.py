"""The sections of a model card, as content blocks for HTML pages and Markdown.

The order follows Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mtl_core.model_card.card import Card
from mtl_core.model_card.limits import limits, use
from mtl_core.report.blocks import Block, Cell, Column, Section, Table, Words
from mtl_core.report.figures_of import PartFigures
from mtl_core.report.wording import NONE, count, counted, decimals, percent, seconds, spoken

CLASSES = 30
"""Maximum number of listed classes per task."""
NO_LICENCES = (
    "No part of this network declares a licence. The licences of its data and of its pretrained weights apply to "
    "the network, too."
)


def sections(card: Card) -> list[Section]:
    """Build all sections of a card."""
    return [
        Section("what", "Model details", list(_what(card))),
        Section("use", "Intended use", [Words(use(card), points=True)]),
        Section("tasks", "Tasks", [_tasks(card)]),
        Section("data", "Data", list(_data(card))),
        Section("training", "Training", list(_training(card))),
        Section("evaluation", "Evaluation", list(_evaluation(card))),
        Section("limits", "Limits", [Words(list(limits(card)), points=True)]),
        Section("licences", "Licences", [Words(list(card.licences) or [NO_LICENCES], points=True)]),
    ]


def _what(card: Card) -> Iterator[Block]:
    files = card.files
    said = [
        f"One network for {counted(len(card.kinds), 'task')}, with {count(files.parameters)} parameters, trained "
        f"by multi-task learning from the experiment `{files.experiment}`."
    ]
    if files.started is not None:
        said.append(f"Of these, {counted(files.started[1], 'parameter')} were initialized from another run.")
    yield Words(said)


def _tasks(card: Card) -> Table:
    rows = []
    for name, kind in card.kinds.items():
        classes = card.files.classes.get(name, ())
        more = f" and {len(classes) - CLASSES} more" if len(classes) > CLASSES else ""
        rows.append(_cells(name, kind, (", ".join(classes[:CLASSES]) + more) or NONE))
    return Table("Tasks and classes", _columns("task", "kind", "classes"), rows)


def _data(card: Card) -> Iterator[Block]:
    data = card.files.data
    parts = list(data.examples)
    yield Words(
        [", ".join(f"{part}: {counted(number, 'example')}" for part, number in data.examples.items()) + "."]
    )
    rows = _grouped(row for task in card.kinds for row in _labels(card, task, parts))
    if rows:
        yield Table("Labels", _columns("task", "label", numbers=parts), rows)
    if data.findings:
        yield Words(["Warnings:"])
        yield Words(list(data.findings), points=True)


def _labels(card: Card, task: str, parts: Sequence[str]) -> Iterator[list[Cell]]:
    names = list(dict.fromkeys(label for part in parts for label in card.labels(part, task)))
    rest = names[CLASSES:]
    for name in names[:CLASSES]:
        yield _cells(task, name, *(count(card.labels(part, task).get(name, 0)) for part in parts))
    if rest:
        left = (sum(card.labels(part, task).get(name, 0) for name in rest) for part in parts)
        yield _cells(task, f"{len(rest)} other labels", *map(count, left))


def _training(card: Card) -> Iterator[Block]:
    files = card.files
    yield Table("Parts", _columns("part", "value"), [_cells(*part) for part in card.parts])
    epochs = sum(epoch.stage == "selection" for epoch in files.history)
    yield Words(
        [
            f"Seed {files.seed}; epoch {files.best_epoch} of {epochs} is selected; training takes "
            f"{seconds(files.timing.get('train_s') or 0.0)}. `config.yaml` contains every option."
        ]
    )


def _evaluation(card: Card) -> Iterator[Block]:
    if not card.files.parts:
        yield Words(["There are no scores."])
        return
    for part in card.files.parts:
        title = f"{part.part.capitalize()} data, {counted(part.examples, 'example')}"
        columns = [*_columns("task", "metric"), *(Column(name) for name in ("labels", "value", "baseline"))]
        yield Table(title, columns, _grouped(_figures(part)))
        classes = _grouped(
            _cells(task.name, one.name, count(one.n), _share(one.recall), _share(one.precision))
            for task in part.tasks
            for one in card.class_figures(task)[:CLASSES]
        )
        if classes:
            yield Table(
                f"{part.part.capitalize()} data by class: recall (fraction of its labels that are predicted) and "
                "precision (fraction of its predictions that are correct)",
                _columns("task", "class", numbers=("labels", "recall", "precision")),
                classes,
            )
    yield Words(["The baseline ignores the input and predicts the most frequent training class or the mean."])


def _figures(part: PartFigures) -> Iterator[list[Cell]]:
    for task in [*part.tasks, *([part.overall] if len(part.tasks) > 1 else [])]:
        for one in task.measured:
            metric = spoken(one.name) + (" (lower is better)" if one.lower_is_better else "")
            yield _cells(task.name, metric, count(one.n), decimals(one.value, one.n), decimals(one.baseline))


def _grouped(rows: Iterable[list[Cell]]) -> list[list[Cell]]:
    """Mark repeated task names, so that a task is named only in its first row."""
    found: list[list[Cell]] = []
    for first, *rest in rows:
        found.append([replace(first, again=bool(found) and found[-1][0].text == first.text), *rest])
    return found


def _share(value: float | None) -> str:
    return NONE if value is None else percent(value)


def _cells(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def _columns(*words: str, numbers: Sequence[str] = ()) -> list[Column]:
    return [*(Column(title, number=False) for title in words), *(Column(title) for title in numbers)]
