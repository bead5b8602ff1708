"""Validation of the name of a new plugin."""

import importlib.metadata
import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass

from mtl_core.errors import MtlError, add_article
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import BrokenPlugin, LoadedPlugin, Plugins
from mtl_core.plugins.registry import Registry

MAX_LENGTH = 40
_VALID_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class PluginNames:
    """The names that are derived from the name of a plugin.

    Attributes:
        name: The name of the plugin, its distribution, its folder and its experiment.
        package: The Python package: lower case with underscores.
        type_prefix: The prefix of the type names of its parts: lower case with hyphens.
    """

    name: str
    package: str
    type_prefix: str


def validate_plugin_name(name: str) -> PluginNames:
    """Validate the name of a new plugin.

    Returns:
        The derived names.

    Raises:
        MtlError: If the name is invalid, or is already used by something installed.
    """
    if not _VALID_NAME.fullmatch(name) or len(name) > MAX_LENGTH:
        suggestion = _suggest_valid_name(name)
        hint = f"; did you mean '{suggestion}'?" if suggestion and suggestion != name else ""
        raise MtlError(
            f"'{name}' cannot be the name of a plugin: expected up to {MAX_LENGTH} letters and digits, - and _ "
            f"between them, a letter first{hint}"
        )
    names = _derive_names(name)
    registry = Registry(Plugins.load_installed())
    conflict = _find_conflict(names, registry)
    if conflict:
        available_name = next(
            alternative
            for alternative in _suggest_alternatives(name)
            if not _find_conflict(_derive_names(alternative), registry)
        )
        raise MtlError(f"'{name}' cannot be the name of a new plugin: {conflict}; '{available_name}' would be free")
    return names


def _derive_names(name: str) -> PluginNames:
    lower_name = name.lower()
    return PluginNames(name, lower_name.replace("-", "_"), lower_name.replace("_", "-"))


def _suggest_valid_name(name: str) -> str:
    """Return the nearest valid name; an empty string if there is none."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "-".join(words).lstrip("0123456789-")[:MAX_LENGTH].rstrip("-")
    return joined if _VALID_NAME.fullmatch(joined) else ""


def _suggest_alternatives(name: str) -> list[str]:
    numbered = [f"my-{name}-{number}" for number in range(2, 100)]
    return [f"mtl-{name}", f"my-{name}", *numbered]


def _find_conflict(names: PluginNames, registry: Registry) -> str:
    """Return what already has the name, for a message; an empty string if the name is free."""
    if keyword.iskeyword(names.package) or keyword.issoftkeyword(names.package):
        return f"'{names.package}' is a Python keyword"
    module = importlib.util.find_spec(names.package)
    if names.package in sys.stdlib_module_names or (module is not None and module.origin is not None):
        return f"a Python module '{names.package}' already exists"
    plugins: list[LoadedPlugin | BrokenPlugin] = [*registry.plugins.loaded, *registry.broken]
    for plugin in plugins:
        if _derive_names(plugin.name).package == names.package:
            return f"a plugin of that name is installed ({plugin.origin})"
    distribution_names = {
        str(distribution.metadata["Name"]).lower().replace("_", "-")
        for distribution in importlib.metadata.distributions()
    }
    if names.type_prefix in distribution_names:
        return f"a distribution '{names.type_prefix}' is installed"
    if names.name in registry.collect_experiments():
        return f"an experiment '{names.name}' is packaged by another plugin"
    for extension_point in EXTENSION_POINTS.values():
        if names.type_prefix in registry.get_specs(extension_point.name):
            noun = add_article(extension_point.noun)
            return f"{noun} '{names.type_prefix}' already exists, and parts are named after the plugin"
    return ""
