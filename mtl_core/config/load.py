"""Loading and validation of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.messages import explain
from mtl_core.config.migrations import migrate
from mtl_core.config.overrides import apply_overrides
from mtl_core.config.paths import input_paths, resolve_paths
from mtl_core.config.yaml_file import Loc, YamlFile, read_yaml, write_yaml
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.packages import what_is_missing
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry
from mtl_core.tracking.needs import missing_packages


@dataclass(frozen=True)
class Experiment:
    """A validated config, the registry of its specs, and the locations of its values.

    Attributes:
        config: The config with all defaults, paths absolute.
        registry: The specs of the plugins.
        source: The file.
        overridden: The locations that were set on the command line.
        value: The value before validation: the file's keys and the keys set on the command line, without defaults.
    """

    config: ExperimentConfig
    registry: Registry
    source: YamlFile
    overridden: Sequence[Loc]
    value: dict[str, Any]


def load_experiment(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> Experiment:
    """Load an experiment by path, or by the name of a packaged experiment.

    Args:
        experiment: A path (it ends in `.yaml` or `.yml`, or contains a separator), or a packaged name.
        overrides: `key=value` strings, as in `--set`.
        plugins: Module names or `.py` files to load in addition to those that the file names.

    Raises:
        MtlError: If the experiment is invalid; the message contains all invalid keys.
    """
    if isinstance(overrides, str) or isinstance(plugins, str):
        raise MtlError("overrides and plugins are lists of texts, such as ['training.epochs=3']; found one text")
    loaded = Plugins.installed()
    for name in plugins:
        loaded.add(name)
    source = read_yaml(_find(str(experiment), Registry(loaded)))
    value, overridden = apply_overrides(migrate(source), overrides)
    value.setdefault("name", source.path.stem)
    named = _plugin_names(value, source)
    for index, name in enumerate(named):
        typed = ("plugins",) in overridden
        where = "--set plugins" if typed else f"{source.path}:{source.line_of(('plugins', index))}: plugins.{index}"
        try:
            loaded.add(name, None if typed else source.path.parent)
        except MtlError as error:
            raise MtlError(f"{where}: {error}") from error
    registry = Registry(loaded)
    registry.require([*plugins, *named])
    if plugins:
        value["plugins"] = [*value.get("plugins", []), *(_absolute(name, Path.cwd()) for name in plugins)]
    try:
        config = build_config(value, registry, source, overridden)
    except ValidationError as error:
        raise MtlError(explain(error, source, overridden)) from error
    return Experiment(config, registry, source, overridden, value)


def build_config(
    value: dict[str, Any], registry: Registry, source: YamlFile, overridden: Sequence[Loc]
) -> ExperimentConfig:
    """Validate an experiment, and make its paths absolute.

    Args:
        value: The experiment; it is not changed.
        registry: The specs of the plugins.
        source: The file; relative paths are resolved against its folder.
        overridden: The locations whose relative paths are resolved against the working directory instead.

    Raises:
        ValidationError: If the experiment is invalid.
    """
    config = ExperimentConfig.model_validate(value, context={"registry": registry})

    def base_of(loc: Loc) -> Path:
        typed = any(loc[: len(place)] == place for place in overridden)
        return Path.cwd() if typed else source.path.parent.resolve()

    config = resolve_paths(config, base_of)
    names = [_absolute(name, base_of(("plugins",))) for name in config.plugins]
    return config.model_copy(update={"plugins": list(dict.fromkeys(names))})


def check_inputs(experiment: Experiment) -> None:
    """Check that all input files and all packages that an experiment needs exist.

    Raises:
        MtlError: If one is missing, or is a folder instead of a file.
    """
    for loc, path, must_be_file in input_paths(experiment.config):
        if flaw := input_flaw(path, must_be_file):
            raise MtlError(f"{_where(experiment, loc)}: {flaw}")
    for place, message in missing_packages(experiment.config.trackers):
        raise MtlError(f"{_where(experiment, ('trackers', place))}: {message}")
    weighting = experiment.config.weighting
    if flaw := what_is_missing(weighting.needs()):
        raise MtlError(f"{_where(experiment, ('weighting', 'type'))}: '{weighting.type}' {flaw}")


def input_flaw(path: Path, must_be_file: bool) -> str:
    """Return an error message if an input file or folder does not exist, else an empty string."""
    if not path.exists():
        return f"no such file{'' if must_be_file else ' or folder'}: {path}{_sibling(path)}"
    if must_be_file and not path.is_file():
        return f"expected a file, found a folder: {path}"
    return ""


def _where(experiment: Experiment, loc: Loc) -> str:
    """Format the location of a value: the file and line, or the `--set` option."""
    source, key = experiment.source, ".".join(map(str, loc))
    typed = any(loc[: len(place)] == place for place in experiment.overridden)
    return f"--set {key}" if typed else f"{source.path}:{source.line_of(loc)}: {key}"


def dump_config(config: ExperimentConfig) -> str:
    """Dump a config as YAML with all defaults; `sweep`, which a run does not use, is excluded."""
    return write_yaml(config.model_dump(mode="json", exclude={"sweep"}))


def _find(experiment: str, registry: Registry) -> Path:
    path = Path(experiment)
    if path.suffix in {".yaml", ".yml"} or "/" in experiment or "\\" in experiment:
        if path.is_dir():
            raise MtlError(f"{experiment}: is a folder, expected an experiment file (.yaml)")
        if not path.exists():
            raise MtlError(f"{experiment}: no such file")
        return path
    packaged = registry.experiments()
    if experiment not in packaged:
        if path.exists():
            raise MtlError(f"{experiment}: expected an experiment file, whose name ends in .yaml")
        raise MtlError(
            f"unknown experiment '{experiment}'{did_you_mean(experiment, packaged)} "
            f"(packaged: {listed(packaged)}; a file is named with its ending, such as {experiment}.yaml)"
            f"{registry.broken_note()}"
        )
    return packaged[experiment]


def _plugin_names(value: dict[str, Any], source: YamlFile) -> list[str]:
    names = value.get("plugins", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        line = source.line_of(("plugins",))
        where = f"{source.path}:{line}" if line else str(source.path)
        raise MtlError(f"{where}: plugins: expected a list of module names or .py files, found {names!r}")
    return names


def _absolute(plugin: str, base: Path) -> str:
    """Make the path of a plugin file absolute, so that the resolved config is valid in every folder."""
    return str((base / plugin).resolve()) if plugin.endswith(".py") else plugin


def _sibling(path: Path) -> str:
    """Format a hint: the file in the same folder with the nearest name."""
    if not path.parent.is_dir():
        return f" (the folder {path.parent} does not exist)"
    return did_you_mean(path.name, (other.name for other in path.parent.iterdir()))
