"""The sections of a model card, as content blocks for HTML pages and Markdown.

The order follows Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.reporting.blocks import Block, Cell, Column, Section, Table, TextBlock
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_duration,
    format_metric,
    format_metric_name,
    format_percent,
    pluralize,
)
from mtl_core.reporting.many_task_blocks import (
    MAX_CLASS_SETS,
    build_label_summary,
    build_ranked_tables,
    build_summary_table,
)
from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.limitations import describe_limits, describe_use
from mtl_core.reporting.provenance_blocks import build_provenance_blocks
from mtl_core.reporting.task_metrics import SplitMetrics

MAX_CLASSES = 30
"""Maximum number of listed classes per task."""
NO_LICENCES = (
    "No part of this network declares a licence. The licences of its data and of its pretrained weights apply to "
    "the network, too."
)


def build_sections(card: Card) -> list[Section]:
    """Build all sections of a card."""
    return [
        Section("what", "Model details", list(_build_overview(card))),
        Section("use", "Intended use", [TextBlock(describe_use(card), is_list=True)]),
        Section("tasks", "Tasks", [_build_tasks(card)]),
        Section("data", "Data", list(_build_data(card))),
        Section("training", "Training", list(_build_training(card))),
        Section("evaluation", "Evaluation", list(_build_evaluation(card))),
        Section("limits", "Limits", [TextBlock(list(describe_limits(card)), is_list=True)]),
        Section("licences", "Licences", [TextBlock(list(card.licences) or [NO_LICENCES], is_list=True)]),
        Section("provenance", "Provenance", build_provenance_blocks(card.files.provenance)),
    ]


def _build_overview(card: Card) -> Iterator[Block]:
    files = card.files
    sentences = [
        f"One network for {pluralize(len(card.kinds), 'task')}, with {format_count(files.parameters)} parameters, "
        f"trained by multi-task learning from the experiment `{files.experiment}`."
    ]
    if files.warm_start is not None:
        sentences.append(f"Of these, {pluralize(files.warm_start[1], 'parameter')} were initialized from another run.")
    yield TextBlock(sentences)


def _build_tasks(card: Card) -> Table:
    if has_many_tasks(len(card.kinds)):
        return _build_task_sets(card)
    rows = []
    for name, kind in card.kinds.items():
        rows.append(_build_cells(name, kind, _join_classes(card.files.classes.get(name, ()))))
    return Table("Tasks and classes", _build_columns("task", "kind", "classes"), rows)


def _build_task_sets(card: Card) -> Table:
    """Return one row per kind and set of classes, instead of one per task."""
    sets: dict[tuple[str, tuple[str, ...]], int] = {}
    for name, kind in card.kinds.items():
        key = kind, tuple(card.files.classes.get(name, ()))
        sets[key] = sets.get(key, 0) + 1
    largest = sorted(sets.items(), key=lambda pair: -pair[1])
    rows = [
        _build_cells(format_count(number), kind, _join_classes(classes))
        for (kind, classes), number in largest[:MAX_CLASS_SETS]
    ]
    if len(largest) > MAX_CLASS_SETS:
        remaining = sum(number for _, number in largest[MAX_CLASS_SETS:])
        rows.append(_build_cells(format_count(remaining), "various", NO_VALUE))
    return Table("Tasks and classes; metrics.json contains all tasks", _build_columns("tasks", "kind", "classes"), rows)


def _join_classes(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - MAX_CLASSES} more" if len(classes) > MAX_CLASSES else ""
    return (", ".join(classes[:MAX_CLASSES]) + more) or NO_VALUE


def _build_data(card: Card) -> Iterator[Block]:
    data = card.files.data
    split_names = list(data.examples)
    yield TextBlock(
        [
            ", ".join(f"{split_name}: {pluralize(number, 'example')}" for split_name, number in data.examples.items())
            + "."
        ]
    )
    if has_many_tasks(len(card.kinds)):
        yield from build_label_summary(data)
    else:
        yield from _build_label_table(card, split_names)
    if data.warnings:
        yield TextBlock(["Warnings:"])
        yield TextBlock(list(data.warnings), is_list=True)


def _build_label_table(card: Card, split_names: Sequence[str]) -> Iterator[Table]:
    """Yield the table of the labels of each task, if there are any."""
    rows = _mark_repeated(row for task in card.kinds for row in _iterate_label_rows(card, task, split_names))
    if rows:
        yield Table("Labels", _build_columns("task", "label", numbers=split_names), rows)


def _iterate_label_rows(card: Card, task: str, split_names: Sequence[str]) -> Iterator[list[Cell]]:
    names = list(
        dict.fromkeys(label for split_name in split_names for label in card.get_label_counts(split_name, task))
    )
    remaining_labels = names[MAX_CLASSES:]
    for name in names[:MAX_CLASSES]:
        yield _build_cells(
            task,
            name,
            *(format_count(card.get_label_counts(split_name, task).get(name, 0)) for split_name in split_names),
        )
    if remaining_labels:
        remaining_counts = (
            sum(card.get_label_counts(split_name, task).get(name, 0) for name in remaining_labels)
            for split_name in split_names
        )
        yield _build_cells(task, f"{len(remaining_labels)} other labels", *map(format_count, remaining_counts))


def _build_training(card: Card) -> Iterator[Block]:
    files = card.files
    yield Table("Parts", _build_columns("part", "value"), [_build_cells(*part) for part in card.parts])
    epochs = len(files.history.selection)
    yield TextBlock(
        [
            f"Seed {files.seed}; epoch {files.best_epoch} of {epochs} is selected; training takes "
            f"{format_duration(files.timing.train_s)}. `config.yaml` contains every option."
        ]
    )


def _build_evaluation(card: Card) -> Iterator[Block]:
    if not card.files.splits:
        yield TextBlock(["There are no scores."])
        return
    for split_scores in card.files.splits:
        if has_many_tasks(len(split_scores.tasks)):
            yield build_summary_table(split_scores)
            yield from build_ranked_tables(split_scores)
            continue
        title = f"{split_scores.split_name.capitalize()} data, {pluralize(split_scores.n_examples, 'example')}"
        columns = [*_build_columns("task", "metric"), *(Column(name) for name in ("labels", "value", "baseline"))]
        yield Table(title, columns, _mark_repeated(_iterate_metric_rows(split_scores)))
        classes = _mark_repeated(
            _build_cells(
                task.name,
                class_scores.name,
                format_count(class_scores.n),
                _format_fraction(class_scores.recall),
                _format_fraction(class_scores.precision),
            )
            for task in split_scores.tasks
            for class_scores in card.compute_class_scores(task)[:MAX_CLASSES]
        )
        if classes:
            yield Table(
                f"{split_scores.split_name.capitalize()} data by class: recall (fraction of its labels that are "
                "predicted) and precision (fraction of its predictions that are correct)",
                _build_columns("task", "class", numbers=("labels", "recall", "precision")),
                classes,
            )
    yield TextBlock(["The baseline ignores the input and predicts the most frequent training class or the mean."])


def _iterate_metric_rows(split_scores: SplitMetrics) -> Iterator[list[Cell]]:
    for task in [*split_scores.tasks, *([split_scores.overall] if len(split_scores.tasks) > 1 else [])]:
        for metric_value in task.metrics:
            metric = format_metric_name(metric_value.name) + (
                " (lower is better)" if metric_value.lower_is_better else ""
            )
            yield _build_cells(
                task.name,
                metric,
                format_count(metric_value.n),
                format_metric(metric_value.value, metric_value.n),
                format_metric(metric_value.baseline),
            )


def _mark_repeated(rows: Iterable[list[Cell]]) -> list[list[Cell]]:
    """Mark repeated task names, so that a task is named only in its first row."""
    marked_rows: list[list[Cell]] = []
    for name_cell, *cells in rows:
        marked_rows.append(
            [
                replace(name_cell, is_repeated=bool(marked_rows) and marked_rows[-1][0].text == name_cell.text),
                *cells,
            ]
        )
    return marked_rows


def _format_fraction(value: float | None) -> str:
    return NO_VALUE if value is None else format_percent(value)


def _build_cells(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def _build_columns(*words: str, numbers: Sequence[str] = ()) -> list[Column]:
    return [*(Column(title, is_numeric=False) for title in words), *(Column(title) for title in numbers)]
