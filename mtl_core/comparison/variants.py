"""The variants of a comparison, each defined by its overrides."""

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
    "sweep": "the search space",
}
"""Keys that must be the same for all variants, and what they set."""


@dataclass(frozen=True)
class Recipe:
    """How one network of a variant is trained.

    Attributes:
        name: The prefix of its run directories.
        settings: Its overrides, in addition to those of all variants.
        experiment: The validated experiment with these overrides.
        task: The only active task; None if all tasks are active.
    """

    name: str
    settings: Sequence[str]
    experiment: Experiment
    task: str | None = None


@dataclass(frozen=True)
class Variant:
    """One variant of the experiment.

    Attributes:
        name: Its name.
        kind: Its kind.
        settings: Its overrides, for display.
        recipes: Its networks: one for all tasks, one per task, or none.
    """

    name: str
    kind: Kind
    settings: Sequence[str]
    recipes: Sequence[Recipe]


class VariantMaker:
    """Builder of the variants of an experiment.

    Args:
        source: The experiment's name or path.
        overrides: Overrides of all variants.
        plugins: Additional plugins.
        base: The validated experiment with these overrides.
        tasks: Names of the active tasks.
    """

    def __init__(
        self, source: str, overrides: Sequence[str], plugins: Sequence[str], base: Experiment, tasks: Sequence[str]
    ) -> None:
        self._source, self._overrides, self._plugins = source, overrides, plugins
        self._base, self._tasks = base, tasks

    def all(self, others: Sequence[str]) -> list[Variant]:
        """Build the default variants (multi-task, equal weights, single-task, majority) and the additional ones.

        Args:
            others: Additional variants, as `KEY=V1,V2`; each value is one variant.

        Raises:
            MtlError: If a value is invalid, or changes what is measured.
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
            raise MtlError(f"--with {twice}: given twice")
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
                f"--with {text}: '{key}' sets {decides}, which must be the same for all variants of a comparison"
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
                f"--with {name}: changes {changed}, and with it what is measured; variants could not be compared"
            )
        return Variant(name, "variant", [setting], [recipe])


def _measured(config: ExperimentConfig) -> dict[str, Any]:
    """Return the settings that determine the metric and the examples; the selection of the epoch may differ."""
    return {name: value for name, value in measured(config) if not name.startswith("training.")}


def equal_weights(config: ExperimentConfig) -> list[str]:
    """Return the overrides that give all tasks equal weights (Kurin et al., 2022); empty if weights are equal."""
    plain = config.weighting.type == "static" and config.weighting == type(config.weighting).model_validate({})
    settings = [] if plain else ["weighting={type: static}"]
    return settings + [f"tasks.{place}.weight=1" for place, task in enumerate(config.tasks) if task.weight != 1]


def alone(config: ExperimentConfig, task: str) -> list[str]:
    """Return the overrides of an independent single-task network, without auxiliary tasks, sharing or weighting."""
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
    """Return whether a pattern of weight names can match a weight of a single-task network."""
    own = f"heads.{task}."
    return not pattern.startswith("heads.") or pattern.startswith(own) or fnmatchcase(f"{own}weight", pattern)


def split_values(text: str) -> list[str]:
    """Split a text at commas outside brackets and quotes.

    Raises:
        MtlError: If a bracket or a quote is not closed, or a value is empty.
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
        what = "a bracket or a quote is not closed" if depth or quote else "a value between two commas is empty"
        raise MtlError(f"--with …={text}: {what}")
    return values
