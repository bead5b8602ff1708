"""The `sweep:` block of an experiment: the search space and the search method. Imports neither Optuna nor torch."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from mtl_core.config.tagged_union import build_type_validator
from mtl_core.config.yaml_file import Loc
from mtl_core.errors import find_duplicates
from mtl_core.plugins.strict_model import StrictModel

ParamValue = float | int | str
"""A sampled value: a number of a range, or the label of a choice."""


class Uniform(StrictModel):
    """A number from a range, uniformly distributed."""

    type: Literal["uniform"] = "uniform"
    low: float
    """The lowest value."""
    high: float
    """The highest value."""

    @model_validator(mode="after")
    def _check_bounds(self) -> "Uniform":
        check_order(self.low, self.high)
        return self


class LogUniform(StrictModel):
    """A number above 0 from a range, each order of magnitude equally likely."""

    type: Literal["log-uniform"] = "log-uniform"
    low: PositiveFloat
    """The lowest value."""
    high: PositiveFloat
    """The highest value."""

    @model_validator(mode="after")
    def _check_bounds(self) -> "LogUniform":
        check_order(self.low, self.high)
        return self


class Integer(StrictModel):
    """An integer from a range, uniformly distributed."""

    type: Literal["integer"] = "integer"
    low: int
    """The lowest value."""
    high: int
    """The highest value."""
    step: PositiveInt = 1
    """The distance between two values."""

    @model_validator(mode="after")
    def _check_bounds(self) -> "Integer":
        check_order(self.low, self.high)
        if (self.high - self.low) % self.step:
            last_value = self.high - (self.high - self.low) % self.step
            raise ValueError(f"steps of {self.step} from {self.low} do not reach {self.high}; the last is {last_value}")
        return self


class LogInteger(StrictModel):
    """An integer above 0 from a range, each order of magnitude equally likely."""

    type: Literal["log-integer"] = "log-integer"
    low: PositiveInt
    """The lowest value."""
    high: PositiveInt
    """The highest value."""

    @model_validator(mode="after")
    def _check_bounds(self) -> "LogInteger":
        check_order(self.low, self.high)
        return self


class Choices(StrictModel):
    """One of several values without an order: numbers, names, or whole blocks."""

    choices: list[Any] = Field(min_length=2)
    """The values, in the format of the experiment."""

    @field_validator("choices")
    @classmethod
    def _check_unique(cls, choices: list[Any]) -> list[Any]:
        if duplicates := find_duplicates([format_label(choice) for choice in choices]):
            raise ValueError(f"the choice {duplicates[0]} occurs twice")
        return choices

    def get_choices_by_label(self) -> dict[str, Any]:
        """Return the values by their labels."""
        return {format_label(choice): choice for choice in self.choices}


def check_order(low: float, high: float) -> None:
    """Check that a range is not empty.

    Raises:
        ValueError: If `low` is not below `high`.
    """
    if low >= high:
        raise ValueError(f"expected `low` below `high`, found low {low} and high {high}")


def format_label(choice: Any) -> str:
    """Return the label of a choice in tables and in the database."""
    return choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)


Range = Uniform | LogUniform | Integer | LogInteger
Parameter = Range | Choices


def get_probe_values(parameter: Parameter) -> dict[Loc, Any]:
    """Return the values to validate: both ends of a range, or every choice; by their locations in the block."""
    if isinstance(parameter, Choices):
        return {("choices", index): choice for index, choice in enumerate(parameter.choices)}
    return {("low",): parameter.low, ("high",): parameter.high}


def resolve_value(parameter: Parameter, param_value: ParamValue) -> Any:
    """Return the value in the experiment for a sampled value."""
    return parameter.get_choices_by_label()[str(param_value)] if isinstance(parameter, Choices) else param_value


class Tpe(StrictModel):
    """The tree-structured Parzen estimator (Bergstra et al., 2011): samples near the values of good trials."""

    type: Literal["tpe"] = "tpe"
    startup_trials: PositiveInt = 10
    """Number of random trials before the estimator is used."""


class RandomSearch(StrictModel):
    """Random search: each trial is independent of the results of other trials (Bergstra and Bengio, 2012)."""

    type: Literal["random"] = "random"


class MedianPruning(StrictModel):
    """Prune a trial if its best score so far is worse than the median of finished trials after the same epoch."""

    type: Literal["median"] = "median"
    startup_trials: PositiveInt = 5
    """Number of finished trials before the first trial is pruned."""
    warmup_epochs: NonNegativeInt = 3
    """Number of epochs before a trial can be pruned."""


ParameterField = Annotated[Parameter, build_type_validator(Uniform, LogUniform, Integer, LogInteger, Choices)]


class Sweep(StrictModel):
    """The settings of `mtl sweep`. `mtl run` ignores them."""

    trials: PositiveInt = 30
    """Total number of trials; the first has the experiment's own values. `--trials` overrides it."""
    space: dict[str, ParameterField] = Field(min_length=1)
    """Dotted key, as for `--set`, to the values to search."""
    sampler: Annotated[Tpe | RandomSearch, build_type_validator(Tpe, RandomSearch)] = Tpe()
    """How the values of the next trial are sampled."""
    pruning: Annotated[MedianPruning | None, build_type_validator(MedianPruning)] = None
    """Which trials are pruned; null trains every trial to its end."""

    @field_validator("space")
    @classmethod
    def _check_unique_keys(cls, space: Mapping[str, Parameter]) -> Mapping[str, Parameter]:
        paths = {
            key: tuple(step.lstrip("0") or "0" if step.isdecimal() else step for step in key.split("."))
            for key in space
        }
        for key, path in paths.items():
            for other, other_path in paths.items():
                if len(other_path) < len(path) and path[: len(other_path)] == other_path:
                    raise ValueError(f"'{key}' is searched twice: it lies below '{other}'")
                if other != key and path == other_path:
                    raise ValueError(f"'{other}' is searched twice: it is the same as '{key}'")
        return space
