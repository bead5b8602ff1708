"""The section on task interactions: similarity and conflicts of gradients on the shared weights."""

from collections.abc import Iterator, Sequence

from mtl_core.report.blocks import Block, Cell, Column, FigureBlock, Folded, Section, Table, Words
from mtl_core.report.figures.heat import MOST_NUMBERS, SMALL, draw_heat, unit
from mtl_core.report.figures.lines import Line, draw_lines
from mtl_core.report.figures.palette import Palette
from mtl_core.report.interactions import Interactions, Matrix
from mtl_core.report.wording import MINUS, NONE, between, count, percent, signed

FAINT = 0.2
"""Minimum magnitude of full colour, so that small cosines stay faint."""
OPEN = 20
"""Maximum number of pairs in a visible table; a longer table is collapsed."""
LISTED = 200
"""Maximum number of pairs in the table."""
LINES = 8
"""Maximum number of pairs in the line chart."""


def interactions(found: Interactions, palette: Palette) -> Section:
    """Build the section: suggestions, heat maps, conflicts, cosines per epoch, task grouping, auxiliary tasks."""
    blocks: list[Block] = []
    if found.suggestions:
        blocks.append(Words(list(found.suggestions), points=True))
    blocks.append(cosine_figure(found, palette))
    blocks += _conflicts(found)
    blocks += _course(found, palette)
    if found.affinity is not None:
        others = _without_diagonal(found.affinity)
        limit = largest(others)
        caption = (
            "Affinity: how a step on the row's task alone changes the column's loss. Above 0 (blue), the loss "
            f"decreases: the row helps the column. The diagonal is blank. Full colour: ±{limit:.3g}."
        )
        if limit < SMALL and len(found.tasks) <= MOST_NUMBERS:
            caption += f" Numbers are in units of 10 to the power of {MINUS}{unit(limit)}."
        heat = draw_heat("affinity", found.tasks, others, palette, limit)
        blocks.append(FigureBlock(caption + _left_out(found), [heat]))
    blocks += [table for table in (_divisions(found), _helpers(found)) if table is not None]
    return Section("interactions", "Task interactions", blocks)


def cosine_figure(found: Interactions, palette: Palette) -> FigureBlock:
    """Draw the heat map of the mean cosines of gradients; the diagonal is blank."""
    others = _without_diagonal(found.cosine)
    limit = max(largest(others), FAINT)
    caption = (
        "Mean cosine of two tasks' gradients on the shared weights. Above 0 (blue), they agree; below 0 (red), "
        "they conflict; at 0, they are orthogonal. Blank: never observed in the same step. "
        f"Full colour: ±{limit:.2f}."
    )
    heat = draw_heat("cosine", found.tasks, others, palette, limit)
    return FigureBlock(caption + _left_out(found), [heat])


def largest(matrix: Matrix) -> float:
    """Return the largest magnitude in a matrix; 1 if all values are 0 or None."""
    return max((abs(value) for row in matrix for value in row if value), default=1.0)


def _without_diagonal(matrix: Matrix) -> Matrix:
    """Blank the diagonal, which would dominate the colours."""
    return [[None if a == b else value for b, value in enumerate(row)] for a, row in enumerate(matrix)]


def _left_out(found: Interactions) -> str:
    many = len(found.tasks) > MOST_NUMBERS
    return f" The numbers are omitted for {len(found.tasks)} tasks." if many else ""


def _conflicts(found: Interactions) -> Iterator[Block]:
    pairs = sorted(found.pairs, key=lambda pair: found.cosine[pair[0]][pair[1]] or 0.0)
    columns = [
        Column("pair of tasks", number=False),
        Column("mean cosine"),
        Column("conflicting steps"),
        Column("shared steps"),
    ]
    rows = [_pair(found, *pair) for pair in pairs[:LISTED]]
    if not rows:
        return
    notes = ["Conflicting steps: steps with a negative cosine. Pairs are sorted by cosine, conflicts first."]
    if found.cosine_error is not None:
        notes[0] += " ± is the standard error."
    if len(pairs) > LISTED:
        notes.append(f"The other {count(len(pairs) - LISTED)} pairs are in interactions.json.")
    table = Table("Conflicts", columns, rows, notes=notes)
    if len(rows) <= OPEN:
        yield table
        return
    yield Table(f"Conflicts: the {OPEN // 2} most conflicting pairs", columns, rows[: OPEN // 2], notes=notes[:1])
    yield Folded("All pairs" if len(pairs) <= LISTED else f"{LISTED} pairs", [table])


def _pair(found: Interactions, a: int, b: int) -> list[Cell]:
    cosine, share = found.cosine[a][b], found.conflicts[a][b]
    error = found.cosine_error[a][b] if found.cosine_error is not None else None
    return [
        Cell(between(found.tasks[a], found.tasks[b])),
        _with_error(cosine, error, strong=True),
        Cell(NONE if share is None else percent(share), bar=share),
        Cell(count(found.steps[a][b])),
    ]


def _with_error(value: float | None, error: float | None, strong: bool = False) -> Cell:
    if value is None:
        return Cell(NONE)
    return Cell(signed(value), "" if error is None else f"± {error:.4f}", strong=strong)


def _divisions(found: Interactions) -> Table | None:
    if not found.divisions:
        return None
    rows = [
        [
            Cell(f"at most {at_most}"),
            Cell(" | ".join(", ".join(network) for network in one.networks)),
            Cell(one.by),
            _with_error(one.gain, one.error),
        ]
        for at_most, one in found.divisions.items()
    ]
    columns = [Column("networks", False), Column("groups", False), Column("measure", False), Column("improvement")]
    note = (
        "The grouping of tasks into networks with the largest mutual influence. Improvement: the increase of this "
        "influence over one network for all tasks, on steps that were not used to select the grouping; ± is the "
        "standard error."
    )
    return Table("Task grouping", columns, rows, notes=[note])


def _helpers(found: Interactions) -> Table | None:
    if not found.helpers:
        return None
    rows = [
        [
            Cell(one.name),
            _with_error(one.cosine, one.cosine_error, strong=True),
            Cell(NONE if one.conflicts is None else percent(one.conflicts), bar=one.conflicts),
            _with_error(one.affinity, one.affinity_error),
        ]
        for one in found.helpers
    ]
    columns = [
        Column("auxiliary task", False),
        Column("mean cosine"),
        Column("conflicting steps"),
        Column("affinity"),
    ]
    return Table("Auxiliary tasks and the sum of the main tasks' gradients", columns, rows)


def _course(found: Interactions, palette: Palette) -> Iterator[FigureBlock]:
    if len(found.over_time) < 2:
        return
    pairs = found.pairs
    drawn = pairs if len(pairs) <= LINES else _extremes(found, pairs)
    lines = [
        Line(
            between(found.tasks[a], found.tasks[b]),
            [(one.epoch, value) for one in found.over_time if (value := one.cosine[a][b]) is not None],
        )
        for a, b in drawn
    ]
    caption = "The mean cosine per epoch."
    if len(drawn) < len(pairs):
        half = LINES // 2
        caption += f" Of {count(len(pairs))} pairs, the {half} most and the {half} least conflicting are shown."
    lines = [line for line in lines if line.points]
    if lines:
        yield FigureBlock(caption, [draw_lines("cosine-epochs", lines, "cosine", True, palette)])


def _extremes(found: Interactions, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered = sorted(pairs, key=lambda pair: found.cosine[pair[0]][pair[1]] or 0.0)
    return [*ordered[: LINES // 2], *ordered[-(LINES // 2) :]]
