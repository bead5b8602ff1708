"""Validation of the name of a new plugin."""

import importlib.metadata
import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass

from mtl_core.errors import MtlError
from mtl_core.plugins import BrokenPlugin, LoadedPlugin, Plugins
from mtl_core.registry import Registry
from mtl_core.seams import SEAMS

LONGEST = 40
_GOOD = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class PluginNames:
    """The names that are derived from the name of a plugin.

    Attributes:
        name: The name of the plugin, its distribution, its folder and its experiment.
        package: The Python package: lower case with underscores.
        type: The prefix of the type names of its parts: lower case with hyphens.
    """

    name: str
    package: str
    type: str


def plugin_names(name: str) -> PluginNames:
    """Validate the name of a new plugin.

    Returns:
        The derived names.

    Raises:
        MtlError: If the name is invalid, or is already used by something installed.
    """
    if not _GOOD.fullmatch(name) or len(name) > LONGEST:
        near = _mended(name)
        hint = f"; did you mean '{near}'?" if near and near != name else ""
        raise MtlError(
            f"'{name}' cannot be the name of a plugin: expected up to {LONGEST} letters and digits, - and _ "
            f"between them, a letter first{hint}"
        )
    names = _derived(name)
    registry = Registry(Plugins.installed())
    taken = _taken(names, registry)
    if taken:
        free = next(other for other in _others(name) if not _taken(_derived(other), registry))
        raise MtlError(f"'{name}' cannot be the name of a new plugin: {taken}; '{free}' would be free")
    return names


def _derived(name: str) -> PluginNames:
    small = name.lower()
    return PluginNames(name, small.replace("-", "_"), small.replace("_", "-"))


def _mended(name: str) -> str:
    """Return the nearest valid name; an empty string if there is none."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "-".join(words).lstrip("0123456789-")[:LONGEST].rstrip("-")
    return joined if _GOOD.fullmatch(joined) else ""


def _others(name: str) -> list[str]:
    numbered = [f"my-{name}-{number}" for number in range(2, 100)]
    return [f"mtl-{name}", f"my-{name}", *numbered]


def _taken(names: PluginNames, registry: Registry) -> str:
    """Return what already has the name, for a message; an empty string if the name is free."""
    if keyword.iskeyword(names.package) or keyword.issoftkeyword(names.package):
        return f"'{names.package}' is a Python keyword"
    module = importlib.util.find_spec(names.package)
    if names.package in sys.stdlib_module_names or (module is not None and module.origin is not None):
        return f"a Python module '{names.package}' already exists"
    plugins: list[LoadedPlugin | BrokenPlugin] = [*registry.plugins.loaded, *registry.broken]
    for plugin in plugins:
        if _derived(plugin.name).package == names.package:
            return f"a plugin of that name is installed ({plugin.origin})"
    installed = {
        str(found.metadata["Name"]).lower().replace("_", "-") for found in importlib.metadata.distributions()
    }
    if names.type in installed:
        return f"a distribution '{names.type}' is installed"
    if names.name in registry.experiments():
        return f"an experiment '{names.name}' is packaged by another plugin"
    for seam in SEAMS.values():
        if names.type in registry.offers(seam.name):
            return f"a {seam.noun} '{names.type}' already exists, and parts are named after the plugin"
    return ""
