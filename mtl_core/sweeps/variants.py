"""Apply sampled values to the searched keys of an experiment."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, build_config
from mtl_core.config.messages import flaw
from mtl_core.config.overrides import put
from mtl_core.config.yaml_file import Loc
from mtl_core.errors import MtlError
from mtl_core.sweeps.space import Drawn, Sweep, value_of


@dataclass(frozen=True)
class Variants:
    """The search space of an experiment. `check_space` validates and completes it.

    Attributes:
        experiment: The experiment.
        sweep: Its `sweep:` block.
        own: Searched key to the experiment's own value, in the format of sampled values; only keys whose space
            contains this value.
        shown: Searched key to the experiment's own value as text; empty where there is none.
    """

    experiment: Experiment
    sweep: Sweep
    own: Mapping[str, Drawn] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def unchanged(self) -> ExperimentConfig:
        """The experiment without its `sweep:` block."""
        return self.experiment.config.model_copy(update={"sweep": None})

    def config(self, drawn: Mapping[str, Drawn]) -> ExperimentConfig:
        """Apply sampled values to the experiment.

        Raises:
            MtlError: If the values are not valid in combination.
        """
        try:
            return self.build({key: value_of(self.sweep.space[key], value) for key, value in drawn.items()})
        except ValidationError as error:
            raise MtlError("; ".join(_flaws(error, self.experiment.source.path.name))) from error

    def build(self, values: Mapping[str, Any]) -> ExperimentConfig:
        """Validate the experiment with other values, which are parsed like values in its file.

        Raises:
            ValidationError: If a value is not valid.
            MtlError: If a parent of a key is not a block.
        """
        experiment = self.experiment
        value = deepcopy(experiment.value)
        value.pop("sweep", None)
        places = [put(value, key, deepcopy(item), self.where(key)) for key, item in values.items()]
        typed = [place for place in experiment.overridden if not any(place[: len(own)] == own for own in places)]
        return build_config(value, experiment.registry, experiment.source, typed)

    def where(self, key: str, place: Loc = ()) -> str:
        """Format a location in the block `sweep.space`: file, line, key."""
        source, loc = self.experiment.source, ("sweep", "space", key, *place)
        number = source.line_of(loc)
        return f"{source.path}{f':{number}' if number else ''}: {'.'.join(map(str, loc))}"


def _flaws(error: ValidationError, file: str) -> Iterator[str]:
    for line in error.errors(include_url=False):
        loc = ".".join(map(str, line["loc"])) or "experiment"
        yield f"{loc}: {flaw(dict(line), loc, file)}"
