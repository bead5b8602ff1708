"""Apply sampled values to the searched keys of an experiment."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, build_config
from mtl_core.config.overrides import set_value
from mtl_core.config.sweep import ParamValue, Sweep, resolve_value
from mtl_core.config.validation_messages import list_errors
from mtl_core.config.yaml_file import Loc
from mtl_core.errors import MtlError


@dataclass(frozen=True)
class SearchSpace:
    """The search space of an experiment. `validate_space` validates and completes it.

    Attributes:
        experiment: The experiment.
        sweep: Its `sweep:` block.
        baseline_params: Searched key to the experiment's own value, in the format of sampled values; only keys
            whose space contains this value.
        baseline_texts: Searched key to the experiment's own value as text; empty where there is none.
    """

    experiment: Experiment
    sweep: Sweep
    baseline_params: Mapping[str, ParamValue] = field(default_factory=dict)
    baseline_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_config(self) -> ExperimentConfig:
        """The experiment without its `sweep:` block."""
        return self.experiment.config.model_copy(update={"sweep": None})

    def apply_params(self, params: Mapping[str, ParamValue]) -> ExperimentConfig:
        """Apply sampled values to the experiment.

        Raises:
            MtlError: If the values are not valid in combination.
        """
        try:
            return self.build({key: resolve_value(self.sweep.space[key], value) for key, value in params.items()})
        except ValidationError as error:
            lines = list_errors(error, self.experiment.source.path.name)
            raise MtlError("; ".join(f"{line.key}: {line.message}" for line in lines)) from error

    def build(self, values: Mapping[str, Any]) -> ExperimentConfig:
        """Validate the experiment with other values, which are parsed like values in its file.

        Raises:
            ValidationError: If a value is not valid.
            MtlError: If a parent of a key is not a block.
        """
        experiment = self.experiment
        raw_config = deepcopy(experiment.value)
        raw_config.pop("sweep", None)
        set_locations = [
            set_value(raw_config, key, deepcopy(item), self.format_location(key)) for key, item in values.items()
        ]
        overridden = [
            location
            for location in experiment.override_locations
            if not any(location[: len(set_location)] == set_location for set_location in set_locations)
        ]
        return build_config(raw_config, experiment.registry, experiment.source, overridden)

    def format_location(self, key: str, location: Loc = ()) -> str:
        """Format a location in the block `sweep.space`: file, line, key."""
        source, loc = self.experiment.source, ("sweep", "space", key, *location)
        number = source.find_line(loc)
        return f"{source.path}{f':{number}' if number else ''}: {'.'.join(map(str, loc))}"
