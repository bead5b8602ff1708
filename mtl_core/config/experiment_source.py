"""Where an experiment comes from: a file, or Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtl_core.config.load import Experiment, load_experiment


class ExperimentSource(Protocol):
    """An experiment that can be loaded again with other settings, one training each."""

    def load(self, overrides: Sequence[str]) -> Experiment:
        """Load the experiment with overrides, as in `--set`.

        Raises:
            MtlError: If the experiment or an override is invalid.
        """


@dataclass(frozen=True)
class ExperimentFile:
    """An experiment file, or a packaged experiment. Worker processes load it by themselves.

    Attributes:
        experiment: The path or the name.
        plugins: Additional plugins.
    """

    experiment: str
    plugins: Sequence[str] = ()

    def load(self, overrides: Sequence[str]) -> Experiment:
        """Load the experiment with overrides."""
        return load_experiment(self.experiment, overrides, self.plugins)
