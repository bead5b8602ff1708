"""The headline, the facts and the summary section of a run."""

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

MOST_FREQUENT = "majority-class baseline"
NOTICEABLE = 0.02
"""Minimum difference between confidence and accuracy to be reported."""
SURE = 2.0
"""Number of standard errors below zero from which a negative cosine is reported."""


def headline(files: RunFiles) -> str:
    """Summarize the performance of the network and of the baseline in one sentence."""
    part = files.judged
    if part is None:
        return "No metrics: the run has neither validation nor test data."
    overall = part.overall.main
    if part.alike is not None and overall is not None and overall.name == part.alike:
        return _shared(overall, part)
    if len(part.tasks) == 1 and part.tasks[0].main is not None:
        return _alone(part.tasks[0].main, part)
    gains = [gain for task in part.tasks if task.main and (gain := task.main.gain) is not None]
    if not gains:
        return f"No metrics: the {part.part} data has no labels that count."
    away = mean(gains)
    return (
        f"The error is {percent(abs(away))} {'smaller' if away >= 0 else 'larger'} than that of the baseline on "
        f"the {part.part} data (mean over {counted(len(gains), 'task')} with different metrics)."
    )


def _shared(figure: Measured, part: PartFigures) -> str:
    if figure.value is None:
        return f"No metrics: the {part.part} data has no labels that count."
    labels = f"{count(figure.n)} {part.part} {'label' if figure.n == 1 else 'labels'}"
    right = "correct" if figure.name in {"accuracy", "exact_match"} else f"correct ({spoken(figure.name)})"
    said = f"{percent(figure.value)} of {labels} {right}"
    return said + (f"; {MOST_FREQUENT}: {percent(figure.baseline)}." if figure.baseline is not None else ".")


def _alone(figure: Measured, part: PartFigures) -> str:
    where = f"on {count(figure.n)} {part.part} {'label' if figure.n == 1 else 'labels'}"
    way = "smaller" if figure.lower_is_better else "larger"
    said = f"{spoken(figure.name)} {decimals(figure.value)} {where} ({way} is better)"
    return said + (f"; baseline: {decimals(figure.baseline)}." if figure.baseline is not None else ".")


def facts(files: RunFiles) -> list[tuple[str, str]]:
    """Collect names and values for the header of the page."""
    epochs = sum(epoch.stage == "selection" for epoch in files.history)
    found = [("tasks", count(len(files.judged.tasks)))] if files.judged else []
    found += [(part, counted(number, "example")) for part, number in files.data.examples.items()]
    found += [
        ("parameters", count(files.parameters)),
        ("selected epoch", f"{files.best_epoch} of {epochs}"),
        ("training", seconds(files.timing["train_s"] or 0.0)),
        ("seed", str(files.seed)),
    ]
    return found


def in_short(files: RunFiles, calibrations: Calibrations | None) -> Section:
    """Build the section with the main findings."""
    sentences = [
        *_against_baselines(files.judged),
        *_epoch(files),
        *_confidence(calibrations),
        *_conflict(files.interactions),
    ]
    if files.data.findings:
        sentences.append(f"{counted(len(files.data.findings), 'warning')} about the data: see Data.")
    if files.started is not None:
        run, numbers = files.started
        sentences.append(f"Warm start: {counted(numbers, 'parameter')} loaded from the run {run}.")
    return Section("summary", "Summary", [Words(sentences, points=True)])


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
            f"The difference from the baseline is not significant for {enumerated(unsure)}: the baseline is within "
            "the 95 % interval."
        )
    if worse:
        yield f"No better than the baseline, which ignores the input: {enumerated(worse)}."
    if undefined:
        yield f"Undefined, because the {part.part} data has no labels that count: {enumerated(undefined)}."


def _may_be_chance(figure: Measured) -> bool:
    interval = figure.interval
    return interval is not None and figure.baseline is not None and interval[0] <= figure.baseline <= interval[1]


def _epoch(files: RunFiles) -> Iterator[str]:
    if files.best_score is None:
        yield "Without validation data, the last epoch is selected."
        return
    epochs = sum(epoch.stage == "selection" for epoch in files.history)
    yield f"Epoch {files.best_epoch} of {epochs} has the best validation score, {decimals(files.best_score)}."
    if files.best_epoch == epochs > 1:
        yield "The last epoch is the best one: more epochs may improve the results."
    if any(epoch.stage == "refit" for epoch in files.history):
        yield (
            "The network was then refitted on training and validation data; test metrics are of the refitted "
            "network, validation metrics of the first one."
        )


def _confidence(calibrations: Calibrations | None) -> Iterator[str]:
    if calibrations is None:
        return
    pooled = calibrations.pooled
    if pooled.confidence is None or pooled.accuracy is None:
        return
    over = pooled.confidence - pooled.accuracy
    if abs(over) < NOTICEABLE:
        yield f"Well calibrated: mean confidence {percent(pooled.confidence)}, accuracy {percent(pooled.accuracy)}."
        return
    yield (
        f"The network is {'over' if over > 0 else 'under'}confident by {points(over)} (mean confidence "
        f"{percent(pooled.confidence)}, accuracy {percent(pooled.accuracy)})."
    )


def _conflict(found: Interactions | None) -> Iterator[str]:
    if found is None or not found.pairs:
        return
    cosine, a, b = min((found.cosine[a][b] or 0.0, a, b) for a, b in found.pairs)
    error = (found.cosine_error[a][b] or 0.0) if found.cosine_error is not None else 0.0
    if cosine + SURE * error < 0:
        names = f"{found.tasks[a]} and {found.tasks[b]}"
        yield f"{names} have the most conflicting gradients: their mean cosine is {signed(cosine)}."
    else:
        yield "No pair of tasks has significantly conflicting gradients on average."
