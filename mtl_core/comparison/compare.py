"""Compare finished runs: those of a plan, or any run directories."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from mtl_core.comparison.bootstrap import LEVEL
from mtl_core.comparison.measure import Contender, Measurement, Pooling
from mtl_core.comparison.outputs import RunOutputs, Said, check_same_labels, read_run
from mtl_core.comparison.plan import Plan
from mtl_core.comparison.summary import (
    OVERALL,
    Comparison,
    Kind,
    MeasuredTask,
    VariantSummary,
)
from mtl_core.comparison.variants import EQUAL, MAJORITY, MULTI_TASK, SINGLE_TASK, Variant
from mtl_core.comparison.words import words_of
from mtl_core.config.experiment import Selection
from mtl_core.errors import MtlError, listed
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.runs.directory import RunDirectory
from mtl_core.specs import MetricSpec
from mtl_core.training.groups import LearnedTask


@dataclass(frozen=True)
class _Entry:
    """A variant with its runs.

    Attributes:
        contender: The outputs of its networks.
        settings: Its overrides.
        cells: Its runs, per seed and fold: one run for all tasks, or one run per task.
    """

    contender: Contender
    settings: Sequence[str]
    cells: Sequence[Sequence[RunOutputs]]


def compare_plan(plan: Plan, resamples: int) -> Comparison:
    """Compare the finished trials of a plan.

    Raises:
        MtlError: If a run is missing or damaged, or runs cannot be compared.
    """
    known: dict[Path, RunOutputs] = {}
    entries = [_entry(plan, variant, known) for variant in plan.variants if variant.recipes]
    whole = next(entry for entry in entries if entry.contender.name == MULTI_TASK)
    for entry in entries:
        for ours, theirs in zip(whole.contender.said, entry.contender.said, strict=True):
            for first, second in zip(ours, theirs, strict=True):
                check_same_labels(first, second, (MULTI_TASK, entry.contender.name))
    majority = _majority(whole.contender)
    if majority is not None:
        entries.append(_Entry(majority, [], []))
    config = plan.experiment.config
    equal = EQUAL if any(entry.contender.name == EQUAL for entry in entries) else MULTI_TASK
    found = _compared(entries, config.training.select, resamples, config.seed, SINGLE_TASK, equal, plan.out)
    found = replace(found, experiment=config.name, seeds=list(plan.seeds), folds=plan.folds)
    return replace(found, words=words_of(found, _notices(known.values())))


def compare_runs(paths: Sequence[Path], plugins: Sequence[str], resamples: int) -> Comparison:
    """Compare finished runs; the first is the reference.

    Raises:
        MtlError: If a run is missing or damaged, or runs differ in tasks, examples or labels.
    """
    names = [path.name for path in paths]
    names = [path.name if names.count(path.name) == 1 else str(path) for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MtlError(f"{twice}: given twice; a run cannot be compared with itself")
    experiments = [RunDirectory.open(path).experiment(plugins) for path in paths]
    runs = [read_run(path, experiment) for path, experiment in zip(paths, experiments, strict=True)]
    for name, run in zip(names, runs, strict=True):
        if set(run.tasks) != set(runs[0].tasks):
            raise MtlError(
                f"{name}: has the tasks {listed(run.tasks)}, but {names[0]} has {listed(runs[0].tasks)}; "
                "only runs with the same tasks can be compared"
            )
        if run.part != runs[0].part:
            raise MtlError(f"{name}: was scored on {run.part} data, but {names[0]} on {runs[0].part} data")
        check_same_labels(runs[0].tasks, run.tasks, (names[0], name))
    entries = [
        _Entry(Contender(name, "run", [[run.tasks]]), [], [[run]]) for name, run in zip(names, runs, strict=True)
    ]
    config = experiments[0].config
    found = _compared(entries, config.training.select, resamples, config.seed, names[0], None, None)
    found = replace(found, experiment=config.name, seeds=[runs[0].seed])
    return replace(found, words=words_of(found, _notices(runs)))


def _notices(runs: Iterable[RunOutputs]) -> list[str]:
    return list(dict.fromkeys(run.notice for run in runs if run.notice))


def _entry(plan: Plan, variant: Variant, known: dict[Path, RunOutputs]) -> _Entry:
    """Read the runs of a variant."""
    said: list[list[Mapping[str, Said]]] = []
    cells: list[list[RunOutputs]] = []
    for seed in plan.seeds:
        said.append([])
        for fold in plan.turns:
            cell = []
            for recipe in variant.recipes:
                path = plan.run(recipe, seed, fold)
                if path not in known:
                    known[path] = read_run(path, recipe.experiment)
                cell.append(known[path])
            cells.append(cell)
            said[-1].append({task: run.tasks[task] for task in plan.tasks for run in cell if task in run.tasks})
    return _Entry(Contender(variant.name, variant.kind, said), variant.settings, cells)


def _majority(whole: Contender) -> Contender | None:
    """Return the baselines' predictions for the same labels; None if a task has no baseline."""
    said: list[list[Mapping[str, Said]]] = []
    for folds in whole.said:
        said.append([])
        for fold in folds:
            baselines = {
                task: baseline for task, one in fold.items() if (baseline := one.of_baseline()) is not None
            }
            if len(baselines) < len(fold):
                return None
            said[-1].append(baselines)
    return Contender(MAJORITY, "majority", said)


def _compared(
    entries: Sequence[_Entry],
    select: Selection,
    resamples: int,
    seed: int,
    reference: str,
    equal: str | None,
    folder: Path | None,
) -> Comparison:
    """Score all variants; compare them with the reference, and multi-task variants also with equal weights."""
    runs = [run for entry in entries for cell in entry.cells for run in cell]
    said = entries[0].contender.said
    tasks = {name: one.task for name, one in said[0][0].items()}
    metrics, pooling = measured_by(select, list(tasks.values()))
    for entry in entries:
        _check_classes(entry.contender)
    examples = list(dict.fromkeys(one for run in runs for one in run.ids.tolist()))
    contenders = [entry.contender for entry in entries]
    measurement = Measurement(contenders, metrics, pooling, examples, resamples, seed)
    variants = [_summary(measurement, entry, reference, equal, folder) for entry in entries]
    counted = {
        name: MeasuredTask(spec.key(), spec.higher_is_better, int(measurement.counts[name][0]))
        for name, spec in metrics.items()
    }
    return Comparison("", [], None, runs[0].part, len(examples), resamples, LEVEL, reference, counted, variants)


def measured_by(select: Selection, tasks: Sequence[LearnedTask]) -> tuple[dict[str, MetricSpec], Pooling]:
    """Return the metric of each task, and how tasks are aggregated: the same as for the choice of the best epoch.

    Args:
        select: How the experiment selects the best epoch. A metric that some task lacks is ignored.
        tasks: The tasks.

    Returns:
        Name of each task to its metric, and the aggregation over tasks.
    """
    has_it = all(any(metric.key() == select.metric for metric in task.kind.metrics) for task in tasks)
    resolved = resolve_selection(Selection(metric=select.metric if has_it else None), tasks)
    metrics = {
        task.name: next(
            metric for metric in task.kind.metrics if resolved.metric is None or metric.key() == resolved.metric
        )
        for task in tasks
    }
    pooling: Pooling = "overall" if resolved.over == "overall" else "mean" if resolved.over == "mean" else "none"
    return metrics, pooling


def _check_classes(contender: Contender) -> None:
    """Check that all folds have the same classes; otherwise their outputs cannot be concatenated.

    Raises:
        MtlError: If the classes of two folds differ.
    """
    for folds in contender.said:
        for name, first in folds[0].items():
            for fold in folds[1:]:
                ours, theirs = list(first.task.space.classes), list(fold[name].task.space.classes)
                if ours != theirs:
                    raise MtlError(
                        f"task '{name}': folds have different classes ({listed(ours)}; {listed(theirs)}); declare "
                        "`kind.classes`, so that all folds have the same"
                    )


def _summary(
    measurement: Measurement, entry: _Entry, reference: str, equal: str | None, folder: Path | None
) -> VariantSummary:
    contender = entry.contender
    figures = {name: measurement.estimate(figure) for name, figure in measurement.figures(contender.name).items()}
    is_reference = contender.name == reference
    learns_all: tuple[Kind, ...] = ("multi-task", "variant")
    weighed = equal is not None and contender.kind in learns_all and contender.name != equal
    return VariantSummary(
        name=contender.name,
        kind=contender.kind,
        settings=list(entry.settings),
        tasks={name: one for name, one in figures.items() if name != OVERALL},
        overall=figures.get(OVERALL),
        delta_m=None if is_reference else measurement.gain(contender.name, reference),
        against_single=None if is_reference else measurement.differences(contender.name, reference),
        against_equal=measurement.differences(contender.name, str(equal)) if weighed else None,
        parameters=round(_middle(sum(run.parameters for run in cell) for cell in entry.cells)),
        train_s=_middle(sum(run.train_s for run in cell) for cell in entry.cells),
        inference_ms=_middle(sum(run.inference_ms for run in cell) for cell in entry.cells),
        runs=[_relative(run.path, folder) for cell in entry.cells for run in cell],
    )


def _middle(values: Iterable[float]) -> float:
    """Return the median; 0 for a variant without training."""
    found = list(values)
    return median(found) if found else 0.0


def _relative(path: Path, folder: Path | None) -> str:
    return str(path.relative_to(folder) if folder is not None else path)
