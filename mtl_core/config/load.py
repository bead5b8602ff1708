"""Loading and validation of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.migrations import migrate
from mtl_core.config.overrides import apply_overrides
from mtl_core.config.paths import input_paths, resolve_paths
from mtl_core.config.validation_messages import format_validation_error
from mtl_core.config.yaml_file import Loc, YamlFile, dump_yaml, read_yaml
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.optional_packages import describe_missing_packages, find_missing_packages
from mtl_core.plugins.python_parts import PYTHON_PARTS
from mtl_core.plugins.registry import Registry, add_unregistered_parts


@dataclass(frozen=True)
class Experiment:
    """A validated config, the registry of its specs, and the locations of its values.

    Attributes:
        config: The config with all defaults, paths absolute.
        registry: The specs of the plugins.
        source: The file.
        override_locations: The locations that were set on the command line.
        value: The value before validation: the file's keys and the keys set on the command line, without defaults.
        is_file: Whether `source` is a file; otherwise the experiment was declared in Python.
    """

    config: ExperimentConfig
    registry: Registry
    source: YamlFile
    override_locations: Sequence[Loc]
    value: dict[str, Any]
    is_file: bool = True

    @property
    def path(self) -> Path | None:
        """The experiment file; None for an experiment that was declared in Python."""
        return self.source.path if self.is_file else None


def load_experiment(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    plugins: Sequence[str] = (),
    parts: Sequence[object] = (),
) -> Experiment:
    """Load an experiment by path, or by the name of a packaged experiment.

    Args:
        experiment: A path (it ends in `.yaml` or `.yml`, or contains a separator), or a packaged name.
        overrides: `key=value` strings, as in `--set`.
        plugins: Module names or `.py` files to load in addition to those that the file names.
        parts: Spec classes and modules of the experiment that no plugin registers.

    Raises:
        MtlError: If the experiment is invalid; the message contains all invalid keys.
    """
    if isinstance(overrides, str) or isinstance(plugins, str):
        raise MtlError("overrides and plugins are lists of texts, such as ['training.epochs=3']; found one text")
    loaded = _load_plugins(plugins)
    source = read_yaml(_find_experiment_file(str(experiment), Registry(loaded)))
    value, override_locations = apply_overrides(migrate(source), overrides)
    value.setdefault("name", source.path.stem)
    plugin_names = _parse_plugin_names(value, source)
    for index, name in enumerate(plugin_names):
        is_override = ("plugins",) in override_locations
        location = (
            "--set plugins" if is_override else f"{source.path}:{source.find_line(('plugins', index))}: plugins.{index}"
        )
        try:
            loaded.add(name, None if is_override else source.path.parent)
        except MtlError as error:
            raise MtlError(f"{location}: {error}") from error
    add_unregistered_parts(loaded, parts)
    registry = Registry(loaded)
    registry.require([*plugins, *plugin_names, PYTHON_PARTS])
    if plugins:
        value["plugins"] = [
            *value.get("plugins", []),
            *(_resolve_plugin_path(name, Path.cwd()) for name in plugins),
        ]
    try:
        config = build_config(value, registry, source, override_locations)
    except ValidationError as error:
        raise MtlError(format_validation_error(error, source, override_locations)) from error
    return Experiment(config, registry, source, override_locations, value)


def is_packaged_experiment(name: str, plugins: Sequence[str] = ()) -> bool:
    """Return whether a plugin contains an experiment of this name."""
    return name in Registry(_load_plugins(plugins)).collect_experiments()


def _load_plugins(names: Sequence[str]) -> Plugins:
    """Load the installed plugins and those with these names."""
    loaded = Plugins.load_installed()
    for name in names:
        loaded.add(name)
    return loaded


def build_config(
    value: dict[str, Any], registry: Registry, source: YamlFile, override_locations: Sequence[Loc]
) -> ExperimentConfig:
    """Validate an experiment, and make its paths absolute.

    Args:
        value: The experiment; it is not changed.
        registry: The specs of the plugins.
        source: The file; relative paths are resolved against its folder.
        override_locations: The locations whose relative paths are resolved against the working directory instead.

    Raises:
        ValidationError: If the experiment is invalid.
    """
    config = ExperimentConfig.model_validate(value, context={"registry": registry})

    def get_base_dir(loc: Loc) -> Path:
        is_override = any(loc[: len(location)] == location for location in override_locations)
        return Path.cwd() if is_override else source.path.parent.resolve()

    config = resolve_paths(config, get_base_dir)
    names = [_resolve_plugin_path(name, get_base_dir(("plugins",))) for name in config.plugins]
    return config.model_copy(update={"plugins": list(dict.fromkeys(names))})


def check_inputs(experiment: Experiment) -> None:
    """Check that all input files and all packages that an experiment needs exist.

    Raises:
        MtlError: If one is missing, or is a folder instead of a file.
    """
    for loc, path, must_be_file in input_paths(experiment.config):
        if validation_error := validate_input_path(path, must_be_file):
            raise MtlError(f"{_format_location(experiment, loc)}: {validation_error}")
    for index, message in find_missing_packages(experiment.config.trackers):
        raise MtlError(f"{_format_location(experiment, ('trackers', index))}: {message}")
    weighting = experiment.config.weighting
    if validation_error := describe_missing_packages(weighting.list_required_packages()):
        raise MtlError(f"{_format_location(experiment, ('weighting', 'type'))}: '{weighting.type}' {validation_error}")


def validate_input_path(path: Path, must_be_file: bool) -> str:
    """Return an error message if an input file or folder does not exist, else an empty string."""
    try:
        exists, is_file = path.exists(), path.is_file()
    except OSError as error:  # such as a name that is too long
        return f"{path}: {error.strerror}"
    if not exists:
        return f"no such file{'' if must_be_file else ' or folder'}: {path}{_suggest_sibling(path)}"
    if must_be_file and not is_file:
        return f"expected a file, found a folder: {path}"
    return ""


def _format_location(experiment: Experiment, loc: Loc) -> str:
    """Format the location of a value: the file and line, or the `--set` option."""
    source, key = experiment.source, ".".join(map(str, loc))
    is_override = any(loc[: len(location)] == location for location in experiment.override_locations)
    return f"--set {key}" if is_override else f"{source.path}:{source.find_line(loc)}: {key}"


def dump_config(config: ExperimentConfig) -> str:
    """Dump a config as YAML with all defaults; `sweep`, which a run does not use, is excluded."""
    return dump_yaml(config.model_dump(mode="json", exclude={"sweep"}))


def _find_experiment_file(experiment: str, registry: Registry) -> Path:
    path = Path(experiment)
    if path.suffix in {".yaml", ".yml"} or "/" in experiment or "\\" in experiment:
        if path.is_dir():
            raise MtlError(f"{experiment}: is a folder, expected an experiment file (.yaml)")
        if not path.exists():
            raise MtlError(f"{experiment}: no such file")
        return path
    packaged = registry.collect_experiments()
    if experiment not in packaged:
        if path.is_file():
            raise MtlError(f"{experiment}: expected an experiment file, whose name ends in .yaml")
        raise MtlError(
            f"unknown experiment '{experiment}'{did_you_mean(experiment, packaged)} "
            f"(packaged: {join_names(packaged)}; a file is named with its ending, such as {experiment}.yaml)"
            f"{registry.format_broken_plugins()}"
        )
    return packaged[experiment]


def _parse_plugin_names(value: dict[str, Any], source: YamlFile) -> list[str]:
    names = value.get("plugins", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        line = source.find_line(("plugins",))
        location = f"{source.path}:{line}" if line else str(source.path)
        raise MtlError(f"{location}: plugins: expected a list of module names or .py files, found {names!r}")
    return names


def _resolve_plugin_path(plugin: str, base: Path) -> str:
    """Make the path of a plugin file absolute, so that the resolved config is valid in every folder."""
    return str((base / plugin).resolve()) if plugin.endswith(".py") else plugin


def _suggest_sibling(path: Path) -> str:
    """Format a hint: the file in the same folder with the nearest name."""
    if not path.parent.is_dir():
        return f" (the folder {path.parent} does not exist)"
    return did_you_mean(path.name, (sibling.name for sibling in path.parent.iterdir()))
