"""What a comparison trains: variants by seeds by folds, nothing twice, the longest first."""

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
    """A comparison before anything is trained.

    Attributes:
        experiment: The experiment, checked.
        tasks: Names of the tasks that are learned.
        variants: The ways to train.
        seeds: The seeds.
        folds: How many folds are held out in turn; None for the data's own parts.
        trials: All trainings, the longest first.
        out: The folder for everything.
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
        """The folds, or None for the only split that there is."""
        return list(range(self.folds)) if self.folds else [None]

    def run(self, recipe: Recipe, seed: int, fold: int | None) -> Path:
        """The run directory of one training."""
        return run_directory(self.out, recipe, seed, fold)


def run_directory(out: Path, recipe: Recipe, seed: int, fold: int | None) -> Path:
    """The run directory of one training."""
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
    """Say what is to be trained. The data is read, to know the tasks and how long each training takes.

    Args:
        source: The experiment's name or path.
        overrides: What is set for all.
        plugins: Further plugins.
        base: The experiment with that, checked.
        seeds: How many seeds, counted up from the experiment's.
        folds: How many folds are held out in turn; None for the data's own parts.
        others: Further variants: texts `KEY=V1,V2`.
        out: The folder for everything.

    Raises:
        MtlError: If there is only one task, or a variant is wrong.
    """
    data = read_declared(base.config)
    tasks = learned_tasks(data.tasks, base.config.learn)
    names = [task.name for task in tasks]
    if len(names) < 2:
        raise MtlError(
            f"{base.config.name}: learns one task ('{names[0]}'), so nothing is learned together; "
            "a comparison needs two or more"
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
    """About how many examples a training visits."""
    config = recipe.experiment.config
    learned = [task for task in data.tasks if recipe.task is None or task.name == recipe.task]
    rows = data.corpus.rows("train")
    return int(labelled_for(learned, data.labels, len(data.corpus))[rows].sum()) * config.training.epochs


def _shared(variants: Sequence[Variant]) -> list[Variant]:
    """Let variants whose resolved experiments are equal share networks, which get names that a folder can have."""
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
    """What a folder can be called everywhere; two names never become one."""
    plain = re.sub(r"[^\w.=-]+", "-", name).strip("-.")[:80] or "variant"
    number, free = 2, plain
    while free.lower() in {one.lower() for one in taken}:
        free, number = f"{plain}-{number}", number + 1
    return free
