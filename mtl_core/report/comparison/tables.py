"""The tables of a comparison: metrics, differences, costs."""

from collections.abc import Iterator

from mtl_core.report.blocks import Cell, Column, Table
from mtl_core.report.comparison.figures import Against, compared, differences_of, figure_of
from mtl_core.report.read_comparison import MAJORITY, OVERALL, SINGLE, ComparisonFiles, Estimate, Variant
from mtl_core.report.wording import MINUS, NONE, between, count, decimals, seconds, signed, spoken

SIGNS = {"gained": "▲", "suffered": "▼"}
"""Verdict to the mark after a metric that differs significantly from the reference."""


def figures_table(files: ComparisonFiles) -> Table:
    """Build the table of metrics: one row per task, one column per variant."""
    same = len({task.metric for task in files.tasks}) == 1
    columns = [Column("task", number=False), Column("labels"), *([] if same else [Column("metric", number=False)])]
    columns += [Column(one.name) for one in files.variants]
    rows = [
        [
            Cell(task.name),
            Cell(count(task.n)),
            *([] if same else [Cell(spoken(task.metric) + ("" if task.higher_is_better else " ↓"))]),
            *(_figure(one, task.name) for one in files.variants),
        ]
        for task in files.tasks
    ]
    blank = [] if same else [Cell("")]
    foot = []
    if any(one.overall for one in files.variants):
        labels = Cell(count(sum(task.n for task in files.tasks)))
        foot.append([Cell(OVERALL), labels, *blank, *(_figure(one, OVERALL) for one in files.variants)])
    if any(one.delta_m for one in files.variants):
        foot.append([Cell("Δm"), Cell(""), *blank, *(_delta(one) for one in files.variants)])
    return Table(_caption(files), columns, rows, foot, list(_notes(files, same)), stacked=True)


def _caption(files: ComparisonFiles) -> str:
    metric = spoken(files.tasks[0].metric)
    what = metric if len({task.metric for task in files.tasks}) == 1 else "the metric of each task"
    seeds = f"mean over {len(files.seeds)} seeds" if len(files.seeds) > 1 else "one seed"
    folds = f", {files.folds} folds" if files.folds else ""
    return f"{what[:1].upper()}{what[1:]} on {files.part} data, {seeds}{folds}, with {level(files)} intervals"


def level(files: ComparisonFiles) -> str:
    """Format the level of the intervals: `95 %`."""
    return f"{100 * files.level:g} %"


def _notes(files: ComparisonFiles, same: bool) -> Iterator[str]:
    if any(one.against_single for one in files.variants):
        yield (
            f"▲ significantly better, ▼ significantly worse than {files.reference_words}: the {level(files)} "
            "interval of the difference excludes zero. Unmarked differences are not significant."
        )
    if any(one.delta_m for one in files.variants):
        yield "Δm: the mean over tasks of the relative gain over " + files.reference_words + "."
    if not all(task.higher_is_better for task in files.tasks):
        yield "↓ Smaller is better." if not same else "Smaller is better."


def _figure(variant: Variant, row: str) -> Cell:
    found = figure_of(variant, row)
    if found is None:
        return Cell("undefined" if row in variant.tasks else NONE)
    difference = variant.against_single.get(row) if variant.kind not in {SINGLE, MAJORITY} else None
    sign = SIGNS.get(difference.verdict, "") if difference else ""
    return Cell(f"{decimals(found.mean)}{sign and ' ' + sign}", _interval(found))


def _interval(found: Estimate) -> str:
    return "" if found.low == found.high == found.mean else between(decimals(found.low), decimals(found.high))


def _delta(variant: Variant) -> Cell:
    found = variant.delta_m
    if found is None:
        return Cell(NONE)
    return Cell(signed_percent(found.mean), between(signed_percent(found.low), signed_percent(found.high)))


def signed_percent(value: float) -> str:
    """Format a relative gain: `+2.5 %`."""
    return f"{value:+.1f} %".replace("-", MINUS)


def differences_table(files: ComparisonFiles, against: Against) -> Table | None:
    """Build the table of differences: one row per task and variant; None if there are no differences."""
    variants = compared(files, against)
    rows = []
    for row in [*(task.name for task in files.tasks), OVERALL]:
        known = [(one, found) for one in variants if (found := differences_of(one, against).get(row)) is not None]
        for place, (one, found) in enumerate(known):
            cells = [Cell(row, again=place > 0), Cell(one.name), Cell(signed(found.mean), strong=found.sure)]
            rows.append([*cells, Cell(between(signed(found.low), signed(found.high))), Cell(found.verdict)])
    if not rows:
        return None
    columns = [
        Column("task", number=False),
        Column("variant", number=False),
        Column("difference"),
        Column(f"{level(files)} interval"),
        Column("verdict", number=False),
    ]
    other = files.reference_words if against == "reference" else "equal weights"
    return Table(f"Difference from {other}", columns, rows)


def costs_table(files: ComparisonFiles) -> Table:
    """Build the table of costs: one row per variant with parameters, times, settings."""
    columns = [
        Column("variant", number=False),
        Column("parameters"),
        Column("training time"),
        Column("inference time"),
        Column("settings", number=False),
    ]
    rows = [
        [
            Cell(one.name),
            Cell(NONE if one.parameters is None else count(one.parameters)),
            Cell(NONE if one.train_s is None else seconds(one.train_s)),
            Cell(NONE if one.inference_ms is None else f"{one.inference_ms:.3g} ms"),
            Cell(", ".join(one.settings)),
        ]
        for one in files.variants
    ]
    return Table(
        "Training and inference cost", columns, rows, notes=["Training: all tasks. Inference: one example."]
    )
