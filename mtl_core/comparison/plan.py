"""Plan the trials of a comparison: variants by seeds by folds, without duplicates, the longest first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.comparison.trials import Trial
from mtl_core.comparison.variants import Recipe, Variant, VariantMaker
from mtl_core.config.load import Experiment, dump_config, load_experiment
from mtl_core.data.declared import DeclaredData, labelled_for, read_declared
from mtl_core.data.tasks import learned_tasks
from mtl_core.errors import MtlError


@dataclass(frozen=True)
class Plan:
    """The plan of a comparison.

    Attributes:
        experiment: The validated experiment.
        tasks: Names of the active tasks.
        variants: The variants.
        seeds: The seeds.
        folds: Number of folds of the cross-validation; None for the experiment's own split.
        trials: All trials, the longest first.
        out: The output directory.
    """

    experiment: Experiment
    tasks: Sequence[str]
    variants: Sequence[Variant]
    seeds: Sequence[int]
    folds: int | None
    trials: Sequence[Trial]
    out: Path

    @property
    def turns(self) -> Sequence[int | None]:
        """The indices of the folds; a single None without cross-validation."""
        return list(range(self.folds)) if self.folds else [None]

    def run(self, recipe: Recipe, seed: int, fold: int | None) -> Path:
        """Return the run directory of a trial."""
        return run_directory(self.out, recipe, seed, fold)


def run_directory(out: Path, recipe: Recipe, seed: int, fold: int | None) -> Path:
    """Return the run directory of a trial."""
    return out / (f"{recipe.name}-seed{seed}" + ("" if fold is None else f"-fold{fold}"))


def make_plan(
    source: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    base: Experiment,
    seeds: int,
    folds: int | None,
    others: Sequence[str],
    out: Path,
) -> Plan:
    """Build the plan of a comparison. This reads the data, for the tasks and the cost of each trial.

    Args:
        source: The experiment's name or path.
        overrides: Overrides of all variants.
        plugins: Additional plugins.
        base: The validated experiment with these overrides.
        seeds: Number of seeds, counted up from the experiment's seed.
        folds: Number of folds of the cross-validation; None for the experiment's own split.
        others: Additional variants, as `KEY=V1,V2`.
        out: The output directory.

    Raises:
        MtlError: If there is only one task, or a variant is invalid.
    """
    data = read_declared(base.config)
    tasks = learned_tasks(data.tasks, base.config.learn)
    names = [task.name for task in tasks]
    if len(names) < 2:
        raise MtlError(
            f"{base.config.name}: has only one active task ('{names[0]}'); a comparison of multi-task learning "
            "needs two or more"
        )
    if folds is not None:
        load_experiment(source, [*overrides, *_split(folds, 0)], plugins)
    variants = _shared(VariantMaker(source, overrides, plugins, base, names).all(others))
    own = range(base.config.seed, base.config.seed + seeds)
    recipes = {recipe.name: recipe for variant in variants for recipe in variant.recipes}
    longest = sorted(recipes.values(), key=lambda recipe: -_visits(recipe, data))
    trials = [
        Trial(
            recipe.name,
            seed,
            fold,
            [*overrides, *recipe.settings, f"seed={seed}", *([] if fold is None else _split(folds or 0, fold))],
            run_directory(out, recipe, seed, fold),
        )
        for recipe in longest
        for seed in own
        for fold in (range(folds) if folds else [None])
    ]
    return Plan(base, names, variants, own, folds, trials, out)


def _split(folds: int, fold: int) -> list[str]:
    return [f"split={{type: k-fold, folds: {folds}, fold: {fold}, hold_out: test}}"]


def _visits(recipe: Recipe, data: DeclaredData) -> int:
    """Estimate how many examples a trial visits."""
    config = recipe.experiment.config
    learned = [task for task in data.tasks if recipe.task is None or task.name == recipe.task]
    rows = data.corpus.rows("train")
    return int(labelled_for(learned, data.labels, len(data.corpus))[rows].sum()) * config.training.epochs


def _shared(variants: Sequence[Variant]) -> list[Variant]:
    """Let variants with equal resolved experiments share their networks, and give each network a directory name."""
    known: dict[str, Recipe] = {}
    taken: set[str] = set()
    shared = []
    for variant in variants:
        recipes = []
        for recipe in variant.recipes:
            resolved = dump_config(recipe.experiment.config)
            if resolved not in known:
                name = _folder_name(recipe.name, taken)
                taken.add(name)
                known[resolved] = Recipe(name, recipe.settings, recipe.experiment, recipe.task)
            recipes.append(known[resolved])
        shared.append(Variant(variant.name, variant.kind, variant.settings, recipes))
    return shared


def _folder_name(name: str, taken: set[str]) -> str:
    """Return a unique directory name that is valid on every operating system."""
    plain = re.sub(r"[^\w.=-]+", "-", name).strip("-.")[:80] or "variant"
    number, free = 2, plain
    while free.lower() in {one.lower() for one in taken}:
        free, number = f"{plain}-{number}", number + 1
    return free
