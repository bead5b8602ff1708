"""The section on task interactions: similarity and conflicts of gradients."""

from collections.abc import Iterator, Sequence

import numpy as np

from mtl_core.artifacts.interactions import Matrix, TaskInteractions, mask_diagonal
from mtl_core.reporting.blocks import Block, Cell, Collapsible, Column, FigureBlock, Section, Table, TextBlock
from mtl_core.reporting.figures.heatmap import MAX_NUMBERED_TASKS, SMALL_LIMIT, compute_unit_exponent, draw_heatmap
from mtl_core.reporting.figures.lines import Line, draw_lines
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.relatedness_map import MAX_CELLS, MAX_LABELLED_TASKS, draw_relatedness_map
from mtl_core.reporting.formatting import (
    MINUS_SIGN,
    NO_VALUE,
    format_count,
    format_percent,
    format_range,
    format_signed,
    join_with_and,
)
from mtl_core.reporting.task_clusters import cluster_tasks

MIN_COLOR_LIMIT = 0.2
"""Minimum magnitude of full colour, so that small cosines stay faint."""
MAX_OPEN_PAIRS = 20
"""Maximum number of pairs in a visible table; a longer table is collapsed."""
MAX_TABLE_PAIRS = 200
"""Maximum number of pairs in the table."""
MIN_CLUSTERED_TASKS = 3
"""Minimum number of tasks for a map of related tasks."""
LARGEST_QUANTILE = 0.99
"""The quantile of the similarities with full colour in the map of related tasks."""
MAX_LISTED_MEMBERS = 12
"""Maximum number of listed tasks per cluster."""
MAX_LINES = 8
"""Maximum number of pairs in the line chart."""


def build_interactions_section(interactions: TaskInteractions, palette: Palette) -> Section:
    """Build the section: suggestions, heat maps, conflicts, cosines per epoch, task grouping, auxiliary tasks."""
    blocks: list[Block] = []
    if interactions.suggestions:
        blocks.append(TextBlock(list(interactions.suggestions), is_list=True))
    has_numbered_maps = len(interactions.tasks) <= MAX_NUMBERED_TASKS
    if has_numbered_maps:
        blocks.append(build_cosine_figure(interactions, palette))
    blocks += _build_relatedness_blocks(interactions, palette)
    blocks += _build_conflict_blocks(interactions)
    blocks += _build_epoch_figures(interactions, palette)
    if interactions.affinity is not None and has_numbered_maps:
        masked_affinity = mask_diagonal(interactions.affinity)
        limit = find_largest_magnitude(masked_affinity)
        caption = (
            "Affinity: how a step on the row's task alone changes the column's loss. Above 0 (blue), the loss "
            f"decreases: the row helps the column. The diagonal is blank. Full colour: ±{limit:.3g}."
        )
        if limit < SMALL_LIMIT:
            caption += f" Numbers are in units of 10 to the power of {MINUS_SIGN}{compute_unit_exponent(limit)}."
        heat = draw_heatmap("affinity", interactions.tasks, masked_affinity, palette, limit)
        blocks.append(FigureBlock(caption, [heat]))
    blocks += [
        table
        for table in (_build_grouping_table(interactions), _build_auxiliary_table(interactions))
        if table is not None
    ]
    return Section("interactions", "Task interactions", blocks)


def _build_relatedness_blocks(interactions: TaskInteractions, palette: Palette) -> Iterator[Block]:
    """Yield the map of related tasks, and for many tasks the table of its clusters; nothing for two tasks."""
    count = len(interactions.tasks)
    if count < MIN_CLUSTERED_TASKS:
        return
    clusters = cluster_tasks(interactions.cosine)
    largest = np.nanquantile(np.abs(clusters.similarity), LARGEST_QUANTILE)
    limit = float(largest) or 1.0
    caption = (
        "Related tasks are neighbours: dendrogram (average linkage) and mean cosines of gradients in its order. Blue: "
        f"gradients agree; red: they conflict. Full colour: ±{limit:.2g}."
    )
    if count > MAX_CELLS:
        caption += f" A cell is the mean over the pairs of about {round(count / MAX_CELLS)} by as many tasks."
    if count > MAX_NUMBERED_TASKS:
        caption += f" The numbers are omitted for {count} tasks."
    if count > MAX_LABELLED_TASKS:
        caption += " Labels are the numbers of the clusters below, with their numbers of tasks."
    yield FigureBlock(caption, [draw_relatedness_map("relatedness", interactions.tasks, clusters, palette, limit)])
    if count > MAX_LABELLED_TASKS:
        rows = [
            [
                Cell(str(number)),
                Cell(format_count(len(members))),
                Cell(join_with_and([interactions.tasks[task] for task in members], MAX_LISTED_MEMBERS)),
            ]
            for number, members in enumerate(clusters.clusters, start=1)
        ]
        yield Table("Clusters of tasks", [Column("cluster", False), Column("tasks"), Column("names", False)], rows)


def build_cosine_figure(interactions: TaskInteractions, palette: Palette) -> FigureBlock:
    """Draw the heat map of the mean cosines of gradients; the diagonal is blank."""
    masked_cosine = mask_diagonal(interactions.cosine)
    limit = max(find_largest_magnitude(masked_cosine), MIN_COLOR_LIMIT)
    caption = (
        f"Mean cosine of two tasks' gradients at the shared {interactions.gradients}. Above 0 (blue), they agree; "
        "below 0 (red), they conflict; at 0, they are orthogonal. Blank: never observed in the same step. "
        f"Full colour: ±{limit:.2f}."
    )
    heat = draw_heatmap("cosine", interactions.tasks, masked_cosine, palette, limit)
    return FigureBlock(caption, [heat])


def find_largest_magnitude(matrix: Matrix) -> float:
    """Return the largest magnitude in a matrix; 1 if all values are 0 or None."""
    return max((abs(value) for row in matrix for value in row if value), default=1.0)


def _build_conflict_blocks(interactions: TaskInteractions) -> Iterator[Block]:
    pairs = sorted(interactions.pairs, key=lambda pair: interactions.cosine[pair[0]][pair[1]] or 0.0)
    columns = [
        Column("pair of tasks", is_numeric=False),
        Column("mean cosine"),
        Column("conflicting steps"),
        Column("shared steps"),
    ]
    rows = [_build_pair_row(interactions, *pair) for pair in pairs[:MAX_TABLE_PAIRS]]
    if not rows:
        return
    notes = [
        "Conflicting steps: steps with a negative cosine. Pairs are sorted by cosine, conflicts first. ± is the "
        "standard error."
    ]
    if len(pairs) > MAX_TABLE_PAIRS:
        notes.append(f"The other {format_count(len(pairs) - MAX_TABLE_PAIRS)} pairs are in interactions.json.")
    table = Table("Conflicts", columns, rows, notes=notes)
    if len(rows) <= MAX_OPEN_PAIRS:
        yield table
        return
    yield Table(
        f"Conflicts: the {MAX_OPEN_PAIRS // 2} most conflicting pairs",
        columns,
        rows[: MAX_OPEN_PAIRS // 2],
        notes=notes[:1],
    )
    yield Collapsible("All pairs" if len(pairs) <= MAX_TABLE_PAIRS else f"{MAX_TABLE_PAIRS} pairs", [table])


def _build_pair_row(interactions: TaskInteractions, a: int, b: int) -> list[Cell]:
    cosine, conflict_rate = interactions.cosine[a][b], interactions.conflicts[a][b]
    return [
        Cell(format_range(interactions.tasks[a], interactions.tasks[b])),
        _build_error_cell(cosine, interactions.cosine_error[a][b], strong=True),
        Cell(NO_VALUE if conflict_rate is None else format_percent(conflict_rate), bar=conflict_rate),
        Cell(format_count(interactions.steps[a][b])),
    ]


def _build_error_cell(value: float | None, error: float | None, strong: bool = False) -> Cell:
    if value is None:
        return Cell(NO_VALUE)
    return Cell(format_signed(value), "" if error is None else f"± {error:.4f}", strong=strong)


def _build_grouping_table(interactions: TaskInteractions) -> Table | None:
    if not interactions.groupings:
        return None
    rows = [
        [
            Cell(f"at most {at_most}"),
            Cell(" | ".join(", ".join(network) for network in grouping.networks)),
            Cell(grouping.criterion),
            _build_error_cell(grouping.improvement, grouping.error),
        ]
        for at_most, grouping in interactions.groupings.items()
    ]
    columns = [Column("networks", False), Column("groups", False), Column("measure", False), Column("improvement")]
    note = (
        "The grouping of tasks into networks with the largest mutual influence. Improvement: the increase of this "
        "influence over one network for all tasks, on steps that were not used to select the grouping; ± is the "
        "standard error."
    )
    return Table("Task grouping", columns, rows, notes=[note])


def _build_auxiliary_table(interactions: TaskInteractions) -> Table | None:
    if not interactions.auxiliary:
        return None
    rows = [
        [
            Cell(name),
            _build_error_cell(one.cosine, one.cosine_error, strong=True),
            Cell(NO_VALUE if one.conflicts is None else format_percent(one.conflicts), bar=one.conflicts),
            _build_error_cell(one.affinity, one.affinity_error),
        ]
        for name, one in interactions.auxiliary.items()
    ]
    columns = [
        Column("auxiliary task", False),
        Column("mean cosine"),
        Column("conflicting steps"),
        Column("affinity"),
    ]
    return Table("Auxiliary tasks and the sum of the main tasks' gradients", columns, rows)


def _build_epoch_figures(interactions: TaskInteractions, palette: Palette) -> Iterator[FigureBlock]:
    if len(interactions.by_epoch) < 2:
        return
    pairs = interactions.pairs
    plotted_pairs = pairs if len(pairs) <= MAX_LINES else _select_extreme_pairs(interactions, pairs)
    lines = [
        Line(
            format_range(interactions.tasks[a], interactions.tasks[b]),
            [(one.epoch, value) for one in interactions.by_epoch if (value := one.cosine[a][b]) is not None],
        )
        for a, b in plotted_pairs
    ]
    caption = "The mean cosine per epoch."
    if len(plotted_pairs) < len(pairs):
        half = MAX_LINES // 2
        caption += f" Of {format_count(len(pairs))} pairs, the {half} most and the {half} least conflicting are shown."
    lines = [line for line in lines if line.points]
    if lines:
        yield FigureBlock(caption, [draw_lines("cosine-epochs", lines, "cosine", True, palette)])


def _select_extreme_pairs(interactions: TaskInteractions, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered = sorted(pairs, key=lambda pair: interactions.cosine[pair[0]][pair[1]] or 0.0)
    return [*ordered[: MAX_LINES // 2], *ordered[-(MAX_LINES // 2) :]]
