"""The ways to train that are compared, each as what is set for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from mtl_core.comparison.summary import Kind
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, check_inputs, load_experiment
from mtl_core.config.value_at import value_at
from mtl_core.config.yaml_file import parse_scalar, write_inline
from mtl_core.errors import MtlError
from mtl_core.specs import Spec
from mtl_core.sweeps.measured import measured

MULTI_TASK, EQUAL, SINGLE_TASK, MAJORITY = "multi-task", "equal weights", "single-task", "majority"

FIXED = {
    "version": "the format",
    "name": "the name",
    "plugins": "the plugins",
    "seed": "the seeds",
    "data": "the data",
    "data_sets": "the data",
    "split": "the split",
    "learn": "the tasks",
    "sweep": "what is searched",
}
"""Keys that must be the same for all variants, and what they decide."""


@dataclass(frozen=True)
class Recipe:
    """How one network of a variant is trained.

    Attributes:
        name: What its run directories are called after.
        settings: What is set for it, besides what is set for all.
        experiment: The experiment with these settings, checked.
        task: The only task that it learns; None if it learns all.
    """

    name: str
    settings: Sequence[str]
    experiment: Experiment
    task: str | None = None


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes:
        name: What it is called.
        kind: What it is.
        settings: What is set for it, for people.
        recipes: Its networks: one for all tasks, one a task, or none.
    """

    name: str
    kind: Kind
    settings: Sequence[str]
    recipes: Sequence[Recipe]


class VariantMaker:
    """Makes the variants of an experiment.

    Args:
        source: The experiment's name or path.
        overrides: What is set for all variants.
        plugins: Further plugins.
        base: The experiment with that, checked.
        tasks: Names of the tasks that it learns.
    """

    def __init__(
        self, source: str, overrides: Sequence[str], plugins: Sequence[str], base: Experiment, tasks: Sequence[str]
    ) -> None:
        self._source, self._overrides, self._plugins = source, overrides, plugins
        self._base, self._tasks = base, tasks

    def all(self, others: Sequence[str]) -> list[Variant]:
        """Multi-task, equal weights, single-task, the majority, and what was asked for besides.

        Args:
            others: Texts `KEY=V1,V2`, each value a variant.

        Raises:
            MtlError: If a value is wrong, or changes what is measured.
        """
        variants = [Variant(MULTI_TASK, "multi-task", [], [Recipe(MULTI_TASK, [], self._base)])]
        equal = equal_weights(self._base.config)
        if equal:
            variants.append(Variant(EQUAL, "equal", equal, [self._recipe("equal-weights", equal)]))
        single = [self._recipe(f"{SINGLE_TASK}-{task}", self._alone(task), task) for task in self._tasks]
        variants.append(Variant(SINGLE_TASK, "single-task", alone(self._base.config, "TASK"), single))
        variants.append(Variant(MAJORITY, "majority", [], []))
        for text in others:
            variants += self._with(text)
        names = [variant.name for variant in variants]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise MtlError(f"--with {twice}: asked for twice")
        return variants

    def _alone(self, task: str) -> list[str]:
        return alone(self._base.config, task)

    def _recipe(self, name: str, settings: Sequence[str], task: str | None = None) -> Recipe:
        experiment = load_experiment(self._source, [*self._overrides, *settings], self._plugins)
        return Recipe(name, settings, experiment, task)

    def _with(self, text: str) -> Iterator[Variant]:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key or not values.strip():
            raise MtlError(f"--with {text}: expected KEY=V1,V2, such as weighting=static,by-labels")
        if key.split(".")[0] in FIXED:
            decides = FIXED[key.split(".")[0]]
            raise MtlError(
                f"--with {text}: '{key}' says {decides}, which must be the same for all that is compared"
            )
        for value in split_values(values):
            yield self._one_with(key, value)

    def _one_with(self, key: str, value: str) -> Variant:
        name = f"{key}={value}"
        setting = name
        try:
            if isinstance(value_at(self._base.config, key), Spec) and isinstance(parse_scalar(value), str):
                setting = f"{key}={{type: {value}}}"
            recipe = self._recipe(name, [setting])
            check_inputs(recipe.experiment)
        except MtlError as error:
            raise MtlError(f"--with {name}: {str(error).replace('--set ', '')}") from error
        before, after = _measured(self._base.config), _measured(recipe.experiment.config)
        changed = next((key for key in after if key not in before or before[key] != after[key]), None)
        if changed is not None:
            raise MtlError(
                f"--with {name}: changes {changed}, and with it what is measured; that cannot be compared"
            )
        return Variant(name, "variant", [setting], [recipe])


def _measured(config: ExperimentConfig) -> dict[str, Any]:
    """What decides which figure is computed, and of which examples; how an epoch is chosen may differ."""
    return {name: value for name, value in measured(config) if not name.startswith("training.")}


def equal_weights(config: ExperimentConfig) -> list[str]:
    """What makes every task count alike (Kurin et al., 2022); nothing if that is so already."""
    plain = config.weighting.type == "static" and config.weighting == type(config.weighting).model_validate({})
    settings = [] if plain else ["weighting={type: static}"]
    return settings + [f"tasks.{place}.weight=1" for place, task in enumerate(config.tasks) if task.weight != 1]


def alone(config: ExperimentConfig, task: str) -> list[str]:
    """What makes an independent network of one task: no other task, no helper, nothing shared, nothing weighed."""
    settings = [f"learn={write_inline([task])}", *equal_weights(config)]
    if config.auxiliary:
        settings.append("auxiliary=[]")
    if config.architecture.type != "hard-sharing":
        settings.append("architecture={type: hard-sharing}")
    if config.interactions is not None:
        settings.append("interactions=null")
    select = config.training.select
    if select.over not in {None, "overall", "mean", "gain", task}:
        settings.append(f"training.select={write_inline({'over': task})}")
    if config.start_from is not None:
        parts = [part for part in config.start_from.parts if _speaks_of(part, task)]
        if parts != config.start_from.parts:
            settings.append(f"start_from.parts={write_inline(parts)}" if parts else "start_from=null")
    return settings


def _speaks_of(pattern: str, task: str) -> bool:
    """Whether a pattern over weights can fit what a network of one task has."""
    own = f"heads.{task}."
    return not pattern.startswith("heads.") or pattern.startswith(own) or fnmatchcase(f"{own}weight", pattern)


def split_values(text: str) -> list[str]:
    """Split at commas that stand in no bracket and no quotes.

    Raises:
        MtlError: If a bracket or a quote is left open, or there is nothing between two commas.
    """
    values, depth, quote = [""], 0, ""
    for letter in text:
        if letter == "," and not depth and not quote:
            values.append("")
            continue
        values[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "{[") - (letter in "}]")
    values = [value.strip() for value in values]
    if depth or quote or not all(values):
        what = "a bracket or a quote does not end" if depth or quote else "there is nothing between two commas"
        raise MtlError(f"--with …={text}: {what}")
    return values
