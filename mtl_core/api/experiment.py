"""An experiment that is declared in Python: a model, data and settings, validated like a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtl_core.config.load import Experiment, build_config
from mtl_core.config.overrides import apply_overrides
from mtl_core.config.validation_messages import list_errors
from mtl_core.config.yaml_file import YamlFile
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.python_parts import PYTHON_PARTS
from mtl_core.plugins.registry import Registry, add_unregistered_parts


@dataclass(frozen=True)
class PythonExperiment:
    """An experiment from Python, which can be loaded again with other settings.

    Attributes:
        value: The experiment as read from YAML; blocks of modules contain the modules.
        parts: Spec classes and modules that no plugin registers.
        plugins: Further plugins: module names, or paths of `.py` files.
    """

    value: dict[str, Any]
    parts: Sequence[object] = ()
    plugins: Sequence[str] = field(default=())

    def load(self, overrides: Sequence[str] = ()) -> Experiment:
        """Validate the experiment.

        Args:
            overrides: `key=value` strings, as in `--set`.

        Raises:
            MtlError: If an argument is invalid; the cause is pydantic's error, if there is one.
        """
        value, locations = apply_overrides(self.value, overrides)
        if self.plugins:
            value["plugins"] = list(dict.fromkeys([*value.get("plugins", []), *self.plugins]))
        plugins = load_plugins(value.get("plugins", []))
        add_unregistered_parts(plugins, self.parts)
        registry = Registry(plugins)
        registry.require([*value.get("plugins", []), PYTHON_PARTS])
        source = YamlFile(Path("model.yaml"), value, {})
        try:
            config = build_config(value, registry, source, locations)
        except ValidationError as error:
            lines = [f"{line.key}: {line.message}" for line in list_errors(error, "Python")]
            message = "\n".join(lines).replace(" (give it in Python or with --set ", " (")
            raise MtlError(message) from error
        return Experiment(config, registry, source, locations, value, is_file=False)
