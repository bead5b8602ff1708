"""The section on results: metrics and baselines of all tasks as tables and bar charts."""

from collections.abc import Iterator, Sequence

from mtl_core.report.blocks import Block, Cell, Column, FigureBlock, Section, Table
from mtl_core.report.figures.bars import Bar, draw_bars
from mtl_core.report.figures.canvas import Drawing
from mtl_core.report.figures.palette import Palette
from mtl_core.report.figures_of import Measured, PartFigures, TaskFigures
from mtl_core.report.wording import NONE, between, count, decimals, percent, slug, spoken

ROWS = 40
"""Maximum number of bars per figure, so that it fits on a sheet of paper."""
MAJORITY, BASELINE = "majority", "baseline"


def results(parts: Sequence[PartFigures], palette: Palette) -> Section:
    """Build the section: a table per split, and bar charts of the main split."""
    blocks: list[Block] = []
    for place, part in enumerate(parts):
        blocks.append(results_table(part))
        if place == 0:
            blocks.append(FigureBlock(_caption(part), list(result_drawings(part, palette))))
    return Section("results", "Results", blocks)


def results_table(part: PartFigures) -> Table:
    """Build the table of a split: one column per metric, or a column of metric names if main metrics differ."""
    return _even_table(part) if part.alike is not None else _mixed_table(part)


def _even_table(part: PartFigures) -> Table:
    main = str(part.alike)
    metrics = list(dict.fromkeys(one.name for task in part.tasks for one in task.measured))
    share = _is_share(part, main)
    correct = any(task.correct is not None for task in part.tasks)
    columns = [Column("task", number=False), Column("labels"), *([Column("correct")] if correct else [])]
    columns += [Column(spoken(main)), *([Column("95 % interval")] if share else [])]
    columns += [Column(_baseline_name(share)), *(Column(spoken(name)) for name in metrics if name != main)]

    def row(task: TaskFigures) -> list[Cell]:
        figure = task.named(main)
        cells = [Cell(task.name), Cell(count(task.n))]
        cells += [Cell(count(task.correct) if task.correct is not None else NONE)] if correct else []
        cells += [_value(figure, task, strong=True), *([_interval(figure)] if share else [])]
        cells.append(Cell(decimals(figure.baseline) if figure else NONE))
        return cells + [_value(task.named(name), task) for name in metrics if name != main]

    foot = [row(part.overall)] if part.overall.named(main) and len(part.tasks) > 1 else []
    notes = (
        ["Smaller is better."] if any(one.lower_is_better for task in part.tasks for one in task.measured) else []
    )
    return Table(_title(part), columns, [row(task) for task in part.tasks], foot, notes)


def _mixed_table(part: PartFigures) -> Table:
    columns = [
        Column("task", number=False),
        Column("labels"),
        Column("metric", number=False),
        Column("value"),
        Column("95 % interval"),
        Column(BASELINE),
        Column("relative error reduction"),
        Column("other metrics", number=False),
    ]
    return Table(
        _title(part),
        columns,
        [_mixed_row(task) for task in part.tasks],
        notes=[
            "Relative error reduction: the fraction of the baseline's error that the network avoids; ↓ marks "
            "metrics for which smaller values are better."
        ],
    )


def _mixed_row(task: TaskFigures) -> list[Cell]:
    main = task.main
    if main is None:
        return [Cell(task.name), Cell(count(task.n)), *(Cell(NONE) for _ in range(6))]
    also = ", ".join(f"{spoken(one.name)} {decimals(one.value, one.n)}" for one in task.measured[1:])
    return [
        Cell(task.name),
        Cell(count(task.n)),
        Cell(_with_arrow(main)),
        _value(main, task, strong=True),
        _interval(main),
        Cell(decimals(main.baseline)),
        Cell(percent(main.gain) if main.gain is not None else NONE),
        Cell(also),
    ]


def _title(part: PartFigures) -> str:
    return f"{part.part.capitalize()} data, {count(part.examples)} examples"


def _with_arrow(figure: Measured) -> str:
    return spoken(figure.name) + (" ↓" if figure.lower_is_better else "")


def _value(figure: Measured | None, task: TaskFigures, strong: bool = False) -> Cell:
    if figure is None:
        return Cell(NONE)
    measured_on = f"n {count(figure.n)}" if figure.n != task.n and figure.value is not None else ""
    return Cell(decimals(figure.value, figure.n), measured_on, strong=strong)


def _interval(figure: Measured | None) -> Cell:
    found = figure.interval if figure else None
    return Cell(between(decimals(found[0]), decimals(found[1])) if found else NONE)


def _is_share(part: PartFigures, metric: str) -> bool:
    return any(one.share for task in part.tasks for one in task.measured if one.name == metric)


def _baseline_name(share: bool) -> str:
    return MAJORITY if share else BASELINE


def result_drawings(part: PartFigures, palette: Palette) -> Iterator[Drawing]:
    """Draw the main metrics, one figure per metric; errors are divided by those of the baseline."""
    by_metric: dict[str, list[tuple[str, Measured]]] = {}
    together = part.alike is not None and len(part.tasks) > 1
    for task in [*part.tasks, *([part.overall] if together else [])]:
        if task.main is not None:
            by_metric.setdefault(task.main.name, []).append((task.name, task.main))
    for metric, figures in by_metric.items():
        first = figures[0][1]
        for start in range(0, len(figures), ROWS):
            bars = [_bar(name, figure) for name, figure in figures[start : start + ROWS]]
            name = f"results-{slug(metric)}" + (f"-{start // ROWS + 1}" if start else "")
            axis = f"{spoken(metric)}, baseline = 1, smaller is better" if first.lower_is_better else spoken(metric)
            yield draw_bars(name, bars, axis, first.share, _baseline_name(first.share), palette)


def _bar(name: str, figure: Measured) -> Bar:
    if figure.value is None:
        return Bar(name, None, "undefined", None)
    if figure.lower_is_better:
        relative = figure.value / figure.baseline if figure.baseline else None
        return Bar(name, relative, decimals(figure.value), 1.0 if figure.baseline else None)
    low, high = figure.interval or (None, None)
    written = percent(figure.value) if figure.share else decimals(figure.value)
    return Bar(name, figure.value, written, figure.baseline, low, high)


def _caption(part: PartFigures) -> str:
    shares = any(task.main is not None and task.main.share for task in part.tasks)
    said = f"The metric of each task on the {part.part} data (bar) and its baseline (vertical line)."
    return said + (" Thin lines are 95 % intervals (Wilson)." if shares else "")
