"""The result of a run in a sentence, and what follows from its figures in a few more."""

from collections.abc import Iterator
from statistics import mean

from mtl_core.report.blocks import Section, Words
from mtl_core.report.calibration import Calibrations
from mtl_core.report.figures_of import Measured, PartFigures
from mtl_core.report.interactions import Interactions
from mtl_core.report.run_files import RunFiles
from mtl_core.report.wording import (
    count,
    counted,
    decimals,
    enumerated,
    percent,
    points,
    seconds,
    signed,
    spoken,
)

MOST_FREQUENT = "always answering the most frequent class"
NOTICEABLE = 0.02
"""A difference between confidence and accuracy that is worth a word."""
SURE = 2.0
"""Standard errors that a cosine must lie below zero."""


def headline(files: RunFiles) -> str:
    """Say how good the network is, and how good one is that has seen no input."""
    part = files.judged
    if part is None:
        return "Nothing was measured: there is neither validation nor test data."
    overall = part.overall.main
    if part.alike is not None and overall is not None and overall.name == part.alike:
        return _shared(overall, part)
    if len(part.tasks) == 1 and part.tasks[0].main is not None:
        return _alone(part.tasks[0].main, part)
    gains = [gain for task in part.tasks if task.main and (gain := task.main.gain) is not None]
    if not gains:
        return f"Nothing could be measured on the {part.part} data: no label counts there."
    away = mean(gains)
    return (
        f"{percent(abs(away))} of the baseline's error is {'gone' if away >= 0 else 'added'} on the {part.part} "
        f"data, the mean over {counted(len(gains), 'task')} that are measured differently."
    )


def _shared(figure: Measured, part: PartFigures) -> str:
    if figure.value is None:
        return f"Nothing could be measured on the {part.part} data: no label counts there."
    labels = f"{count(figure.n)} {part.part} {'label' if figure.n == 1 else 'labels'}"
    right = "right" if figure.name in {"accuracy", "exact_match"} else f"right ({spoken(figure.name)})"
    said = f"{percent(figure.value)} of {labels} {right}"
    return said + (f"; {MOST_FREQUENT}: {percent(figure.baseline)}." if figure.baseline is not None else ".")


def _alone(figure: Measured, part: PartFigures) -> str:
    where = f"on {count(figure.n)} {part.part} {'label' if figure.n == 1 else 'labels'}"
    way = "smaller" if figure.lower_is_better else "larger"
    said = f"{spoken(figure.name)} {decimals(figure.value)} {where} ({way} is better)"
    return said + (f"; the baseline's: {decimals(figure.baseline)}." if figure.baseline is not None else ".")


def facts(files: RunFiles) -> list[tuple[str, str]]:
    """What stands at the head of the page."""
    epochs = sum(epoch.stage == "selection" for epoch in files.history)
    found = [("tasks", count(len(files.judged.tasks)))] if files.judged else []
    found += [(part, counted(number, "example")) for part, number in files.data.examples.items()]
    found += [
        ("parameters", count(files.parameters)),
        ("epoch kept", f"{files.best_epoch} of {epochs}"),
        ("training", seconds(files.timing["train_s"] or 0.0)),
        ("seed", str(files.seed)),
    ]
    return found


def in_short(files: RunFiles, calibrations: Calibrations | None) -> Section:
    """What a reader should take home."""
    sentences = [
        *_against_baselines(files.judged),
        *_epoch(files),
        *_confidence(calibrations),
        *_conflict(files.interactions),
    ]
    if files.data.findings:
        sentences.append(f"{counted(len(files.data.findings), 'thing')} worth knowing about the data: see Data.")
    if files.started is not None:
        run, numbers = files.started
        sentences.append(f"{counted(numbers, 'number')} of the network come from the run {run}.")
    return Section("in-short", "In short", [Words(sentences, points=True)])


def _against_baselines(part: PartFigures | None) -> Iterator[str]:
    if part is None:
        return
    figures = {task.name: task.main for task in part.tasks if task.main is not None}
    better = [name for name, figure in figures.items() if figure.better]
    worse = [name for name, figure in figures.items() if figure.better is False]
    undefined = [task.name for task in part.tasks if task.main is None or task.main.value is None]
    unsure = [name for name in better if _may_be_chance(figures[name])]
    if better:
        if worse or undefined:
            yield f"Better than the baseline in {len(better)} of {len(part.tasks)} tasks: {enumerated(better)}."
        elif len(part.tasks) > 1:
            yield f"Better than the baseline in all {len(part.tasks)} tasks."
    if unsure:
        yield (
            f"The baseline lies within the 95 % interval for {enumerated(unsure)}: so few labels cannot tell the "
            "difference from chance."
        )
    if worse:
        yield f"No better than the baseline, which has seen no input: {enumerated(worse)}."
    if undefined:
        yield f"Undefined, since no label counts on the {part.part} data: {enumerated(undefined)}."


def _may_be_chance(figure: Measured) -> bool:
    interval = figure.interval
    return interval is not None and figure.baseline is not None and interval[0] <= figure.baseline <= interval[1]


def _epoch(files: RunFiles) -> Iterator[str]:
    if files.best_score is None:
        yield "No validation data, so the last epoch was kept."
        return
    epochs = sum(epoch.stage == "selection" for epoch in files.history)
    yield f"Epoch {files.best_epoch} of {epochs} had the best validation figure, {decimals(files.best_score)}."
    if files.best_epoch == epochs > 1:
        yield "The last epoch was the best one: more epochs may bring more."
    if any(epoch.stage == "refit" for epoch in files.history):
        yield (
            "The network was then trained again on training and validation data together; test figures are of that "
            "one, validation figures of the first."
        )


def _confidence(calibrations: Calibrations | None) -> Iterator[str]:
    if calibrations is None:
        return
    pooled = calibrations.pooled
    if pooled.confidence is None or pooled.accuracy is None:
        return
    over = pooled.confidence - pooled.accuracy
    if abs(over) < NOTICEABLE:
        yield f"Its confidence fits: {percent(pooled.confidence)} on average, {percent(pooled.accuracy)} right."
        return
    yield (
        f"It is {'more' if over > 0 else 'less'} confident than right, by {points(over)} on average "
        f"({percent(pooled.confidence)} against {percent(pooled.accuracy)})."
    )


def _conflict(found: Interactions | None) -> Iterator[str]:
    if found is None or not found.pairs:
        return
    cosine, a, b = min((found.cosine[a][b] or 0.0, a, b) for a, b in found.pairs)
    error = (found.cosine_error[a][b] or 0.0) if found.cosine_error is not None else 0.0
    if cosine + SURE * error < 0:
        names = f"{found.tasks[a]} and {found.tasks[b]}"
        yield f"{names} pulled against each other most: the mean cosine of their gradients is {signed(cosine)}."
    else:
        yield "No two tasks are seen to pull against each other on average."
