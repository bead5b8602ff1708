"""The page of the report of a comparison."""

from collections.abc import Iterator

from mtl_core.report.blocks import Block, FigureBlock, Folded, Page, Section, Words
from mtl_core.report.comparison.figures import (
    MOST_VARIANTS,
    PANELS,
    Against,
    bar_drawings,
    compared,
    delta_drawing,
    difference_drawings,
    is_share,
    panels,
)
from mtl_core.report.comparison.tables import costs_table, differences_table, figures_table, level, signed_percent
from mtl_core.report.figures.palette import Palette
from mtl_core.report.read_comparison import MAJORITY, MULTI, SINGLE, ComparisonFiles
from mtl_core.report.run.interactions import interactions
from mtl_core.report.wording import count, counted, percent


def comparison_page(files: ComparisonFiles, palette: Palette) -> Page:
    """Build the page of a comparison.

    Args:
        files: The contents of the comparison's directory.
        palette: The colours of the figures; call this function inside `drawing` with the same palette.
    """
    sections = [
        Section("summary", "Summary", [Words(files.words, points=True)]) if files.words else None,
        Section("results", "Results", list(_results(files, palette))),
        _differences(files, palette),
        interactions(files.interactions, palette) if files.interactions is not None else None,
        Section("cost", "Cost", [costs_table(files)]),
        Section("method", "Methods", [Words(list(_method(files)))]),
        _runs(files),
    ]
    return Page(
        kind="comparison",
        title=files.experiment,
        headline=_headline(files),
        notice="",
        facts=_facts(files),
        sections=[section for section in sections if section is not None],
        closing="Generated from comparison.json; `mtl report` regenerates it and the figures as PDF and SVG.",
    )


def _headline(files: ComparisonFiles) -> str:
    multi, single, majority = files.of_kind(MULTI), files.of_kind(SINGLE), files.of_kind(MAJORITY)
    if multi is None or single is None:
        return f"{counted(len(files.variants), 'variant')} on {counted(len(files.tasks), 'task')}."
    shares = all(is_share(task.metric) for task in files.tasks)
    if multi.overall is not None and single.overall is not None and shares:
        said = (
            f"{percent(multi.overall.mean)} of the {files.part} labels correct with one network for all tasks, "
            f"{percent(single.overall.mean)} with one network per task"
        )
        if majority is not None and majority.overall is not None:
            said += f"; majority-class baseline: {percent(majority.overall.mean)}"
        return said + "."
    gain = multi.delta_m
    if gain is None:
        return f"One network for {counted(len(files.tasks), 'task')}, compared with one network per task."
    return (
        f"One network for all {len(files.tasks)} tasks against one network per task: mean relative gain "
        f"{signed_percent(gain.mean)} ({level(files)} interval {signed_percent(gain.low)} to "
        f"{signed_percent(gain.high)})."
    )


def _facts(files: ComparisonFiles) -> list[tuple[str, str]]:
    found = [("tasks", count(len(files.tasks))), ("variants", count(len(files.variants)))]
    found.append(("seeds", ", ".join(map(str, files.seeds))))
    if files.folds:
        found.append(("folds", count(files.folds)))
    if files.examples is not None:
        found.append((f"{files.part} examples", count(files.examples)))
    return found


def _results(files: ComparisonFiles, palette: Palette) -> Iterator[Block]:
    yield figures_table(files)
    caption = f"The metrics of all variants per task; lines are {level(files)} intervals."
    yield FigureBlock(caption + _left_out(files), list(bar_drawings(files, palette)))


def _left_out(files: ComparisonFiles) -> str:
    said = ""
    if len(files.variants) > MOST_VARIANTS:
        said += f" Of {len(files.variants)} variants, {MOST_VARIANTS} are shown."
    if (drawn := len(panels(files))) > PANELS:
        said += f" Of {drawn} plots, the first {PANELS} are shown; the table contains all metrics."
    return said


def _differences(files: ComparisonFiles, palette: Palette) -> Section | None:
    blocks: list[Block] = []
    against: Against
    for against in ("reference", "equal"):
        table = differences_table(files, against)
        if table is None:
            continue
        caption = (
            f"{table.caption}, with {level(files)} intervals. Hollow markers: interval contains zero."
            + _left_out(files)
        )
        blocks.append(FigureBlock(caption, list(difference_drawings(files, against, palette))))
        delta = delta_drawing(files, palette) if against == "reference" else None
        if delta is not None:
            caption = (
                f"Δm: the mean over tasks of the relative gain over {files.reference_words} (Maninis et al., "
                f"2019), with {level(files)} intervals."
            )
            blocks.append(FigureBlock(caption, [delta]))
        blocks.append(Folded(f"{table.caption} as a table", [table]))
    title = f"Differences from {files.reference_words}" + (" and equal weights" if compared(files, "equal") else "")
    return Section("differences", title, blocks) if blocks else None


def _method(files: ComparisonFiles) -> Iterator[str]:
    folds = f" and {files.folds} folds" if files.folds else ""
    over = "averaged over seeds" if len(files.seeds) > 1 else "for that seed"
    yield (
        f"Every variant is trained with {counted(len(files.seeds), 'seed')}{folds}, on the same examples; metrics "
        f"are computed on {files.part} data, {over}."
    )
    if files.resamples:
        drawn = "examples and seeds" if len(files.seeds) > 1 else "examples"
        yield (
            f"Intervals ({level(files)}): {drawn} are resampled with replacement {count(files.resamples)} times, "
            "with the same samples for every variant (paired bootstrap; Efron and Tibshirani, 1993)."
        )
    if len(files.seeds) > 1:
        yield (
            "Resampling few seeds underestimates their variance, so intervals are widened to the unbiased variance "
            "and by the ratio of the quantiles of Student's t and the normal distribution."
        )
    yield (
        "A difference is not significant if its interval contains zero. With many tasks or variants, some "
        "differences are significant by chance: about one in twenty at 95 %."
    )


def _runs(files: ComparisonFiles) -> Section | None:
    runs = [f"{one.name}: {', '.join(one.runs)}" for one in files.variants if one.runs]
    if not runs:
        return None
    return Section("runs", "Runs", [Folded("Run directories", [Words(runs, points=True)])])
