"""The variants of a comparison, each defined by its overrides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtl_core.artifacts.comparison import Kind
from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment, check_inputs
from mtl_core.config.overrides import get_value
from mtl_core.config.yaml_file import parse_scalar
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.baselines import (
    build_equal_weight_overrides,
    build_independent_overrides,
    build_single_task_overrides,
)
from mtl_core.experiments.compare.network_batches import NetworkBatches
from mtl_core.experiments.compare.single_task_experiments import SingleTaskExperiments
from mtl_core.experiments.evaluation_settings import find_first_change
from mtl_core.plugins.specs import Spec

MULTI_TASK, EQUAL, SINGLE_TASK, MAJORITY = "multi-task", "equal weights", "single-task", "majority"

FIXED_KEYS = {
    "version": "the format",
    "name": "the name",
    "plugins": "the plugins",
    "seed": "the seeds",
    "data": "the data",
    "data_sets": "the data",
    "split": "the split",
    "active_tasks": "the tasks",
    "sweep": "the search space",
}
"""Keys that must be the same for all variants, and what they set."""


@dataclass(frozen=True)
class TrainingSpec:
    """How one network of a variant is trained.

    Attributes:
        name: The prefix of its run directories.
        overrides: Its overrides, in addition to those of all variants.
        experiment: The validated experiment with these overrides.
        task: The only active task; None if there are several.
        independent: Whether every active task has a network of its own, all of which are trained at once.
    """

    name: str
    overrides: Sequence[str]
    experiment: Experiment
    task: str | None = None
    independent: bool = False


@dataclass(frozen=True)
class Variant:
    """One variant of the experiment.

    Attributes:
        name: Its name.
        kind: Its kind.
        overrides: Its overrides, for display.
        training_specs: Its networks: one for all tasks, one per task, or none.
    """

    name: str
    kind: Kind
    overrides: Sequence[str]
    training_specs: Sequence[TrainingSpec]


class VariantBuilder:
    """Builder of the variants of an experiment.

    Args:
        source: The experiment.
        overrides: Overrides of all variants.
        base: The validated experiment with these overrides.
    """

    def __init__(self, source: ExperimentSource, overrides: Sequence[str], base: Experiment) -> None:
        self._source, self._overrides, self._base = source, overrides, base

    def build_all(self, networks: NetworkBatches, extra_variants: Sequence[str]) -> list[Variant]:
        """Build the default variants (multi-task, equal weights, single-task, majority) and the additional ones.

        Args:
            networks: How the single-task networks are trained.
            extra_variants: Additional variants, as `KEY=V1,V2`; each value is one variant.

        Raises:
            MtlError: If a value is invalid, or changes what is measured.
        """
        variants = [Variant(MULTI_TASK, "multi-task", [], [TrainingSpec(MULTI_TASK, [], self._base)])]
        equal_weight_overrides = build_equal_weight_overrides(self._base.config)
        if equal_weight_overrides:
            variants.append(
                Variant(
                    EQUAL,
                    "equal",
                    equal_weight_overrides,
                    [self._build_training_spec("equal-weights", equal_weight_overrides)],
                )
            )
        variants.append(
            Variant(
                SINGLE_TASK,
                "single-task",
                build_single_task_overrides(self._base.config, "TASK"),
                [
                    *build_batched_specs(self._source, self._overrides, self._base, networks, SINGLE_TASK),
                    *self._build_separate_specs(networks),
                ],
            )
        )
        variants.append(Variant(MAJORITY, "majority", [], []))
        for text in extra_variants:
            variants += self._parse_variants(text)
        names = [variant.name for variant in variants]
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise MtlError(f"--variant {duplicate}: given twice")
        return variants

    def _build_separate_specs(self, networks: NetworkBatches) -> Iterator[TrainingSpec]:
        """Yield the training of each single-task network that has a run of its own."""
        experiments = SingleTaskExperiments(self._source, self._overrides, self._base)
        for task in networks.separate:
            overrides, experiment = experiments.load(task)
            yield TrainingSpec(f"{SINGLE_TASK}-{task}", overrides, experiment, task)

    def _build_training_spec(self, name: str, overrides: Sequence[str]) -> TrainingSpec:
        return TrainingSpec(name, overrides, self._source.load([*self._overrides, *overrides]))

    def _parse_variants(self, text: str) -> Iterator[Variant]:
        key, separator, values = text.partition("=")
        key = key.strip()
        if not separator or not key or not values.strip():
            raise MtlError(f"--variant {text}: expected KEY=V1,V2, such as weighting=sum,label-count")
        if key.split(".")[0] in FIXED_KEYS:
            description = FIXED_KEYS[key.split(".")[0]]
            raise MtlError(
                f"--variant {text}: '{key}' sets {description}, which must be the same for all variants of a comparison"
            )
        for value in split_values(values):
            yield self._build_variant(key, value)

    def _build_variant(self, key: str, value: str) -> Variant:
        name = f"{key}={value}"
        override = name
        try:
            if isinstance(get_value(self._base.config, key), Spec) and isinstance(parse_scalar(value), str):
                override = f"{key}={{type: {value}}}"
            training_spec = self._build_training_spec(name, [override])
            check_inputs(training_spec.experiment)
        except MtlError as error:
            raise MtlError(f"--variant {name}: {str(error).replace('--set ', '')}") from error
        changed_setting = find_first_change(
            self._base.config, training_spec.experiment.config, ignored_prefix="training."
        )
        if changed_setting is not None:
            raise MtlError(
                f"--variant {name}: changes {changed_setting}, and with it what is measured; variants could not be "
                "compared"
            )
        return Variant(name, "variant", [override], [training_spec])


def build_batched_specs(
    source: ExperimentSource, overrides: Sequence[str], base: Experiment, networks: NetworkBatches, variant: str
) -> Iterator[TrainingSpec]:
    """Yield the training of each batch of single-task networks.

    Args:
        source: The experiment.
        overrides: Overrides of all variants.
        base: The validated experiment with these overrides.
        networks: How the single-task networks are trained.
        variant: The name of their variant, which begins the names of their run directories.
    """
    for number, tasks in enumerate(networks.batches, start=1):
        batch_overrides = build_independent_overrides(base.config, tasks)
        experiment = source.load([*overrides, *batch_overrides])
        yield TrainingSpec(f"{variant}-networks-{number}", batch_overrides, experiment, independent=True)


def split_values(text: str) -> list[str]:
    """Split a text at commas outside brackets and quotes.

    Raises:
        MtlError: If a bracket or a quote is not closed, or a value is empty.
    """
    values, depth, quote = [""], 0, ""
    for character in text:
        if character == "," and not depth and not quote:
            values.append("")
            continue
        values[-1] += character
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "{[") - (character in "}]")
    values = [value.strip() for value in values]
    if depth or quote or not all(values):
        problem = "a bracket or a quote is not closed" if depth or quote else "a value between two commas is empty"
        raise MtlError(f"--variant …={text}: {problem}")
    return values
