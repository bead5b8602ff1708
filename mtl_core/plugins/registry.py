"""The spec classes of the loaded plugins, by extension point and type name."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pluggy import HookImpl

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.contributions import Commands, Service
from mtl_core.plugins.extension_points import EXTENSION_POINTS, ExtensionPoint
from mtl_core.plugins.loading import BrokenPlugin, Plugins
from mtl_core.plugins.spec import LAYOUTS, LEVELS, Spec

Contribution = TypeVar("Contribution", Commands, Service)


@dataclass(frozen=True)
class RegisteredSpec:
    """One spec class and the plugin that provides it."""

    spec: type[Spec]
    plugin: str
    origin: str


class Registry:
    """An index over plugins. It is cheap to create and keeps no global state."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.broken: list[BrokenPlugin] = list(plugins.broken)
        self._registered_specs: dict[str, dict[str, list[RegisteredSpec]]] = {name: {} for name in EXTENSION_POINTS}
        for plugin in plugins.loaded:
            for extension_point in EXTENSION_POINTS.values():
                self._collect(plugin.name, plugin.origin, extension_point)

    def _collect(self, plugin: str, origin: str, extension_point: ExtensionPoint) -> None:
        for spec in self._call(plugin, origin, extension_point.hook):
            validation_error = _validate_spec(spec, extension_point)
            if validation_error:
                self.broken.append(BrokenPlugin(plugin, origin, f"its hook {extension_point.hook} {validation_error}"))
                continue
            self._registered_specs[extension_point.name].setdefault(spec.type_name(), []).append(
                RegisteredSpec(spec, plugin, origin)
            )

    def _call(self, plugin: str, origin: str, hook: str) -> list[Any]:
        """Call one plugin's implementation of one hook, and record a failure as that plugin's."""
        implementation = _find_implementation(self.plugins, plugin, hook)
        if implementation is None:
            return []
        try:
            result = implementation.function()
        except Exception as error:  # noqa: BLE001  one plugin's failure must not hide the other plugins
            reason = f"its hook {hook} failed: {type(error).__name__}: {error}"
            self.broken.append(BrokenPlugin(plugin, origin, reason))
            return []
        if hook == "mtl_experiments":
            if isinstance(result, str | Path) and Path(result).is_dir():
                return [Path(result)]
            reason = f"its hook {hook} returned {result!r}, expected the path of a folder"
            self.broken.append(BrokenPlugin(plugin, origin, reason))
            return []
        if not isinstance(result, list | tuple):
            members = {"mtl_commands": "Commands", "mtl_services": "Service"}.get(hook, "spec classes")
            reason = f"its hook {hook} returned {type(result).__name__}, expected a list of {members}"
            self.broken.append(BrokenPlugin(plugin, origin, reason))
            return []
        return list(result)

    def require(self, names: Iterable[str]) -> None:
        """Check that all hooks of the named plugins can be used.

        Args:
            names: The plugins that the user named.

        Raises:
            MtlError: If one of them is broken.
        """
        required_names = set(names)
        for plugin in self.broken:
            if plugin.name in required_names:
                raise MtlError(f"plugin '{plugin.name}' cannot be used: {plugin.reason}")

    def get_specs(self, extension_point: str) -> dict[str, list[RegisteredSpec]]:
        """Return the registered specs of an extension point by type name; two under one name are a clash."""
        return self._registered_specs[extension_point]

    def find(self, extension_point: str, type_name: str) -> type[Spec]:
        """Return the spec class of a type name.

        Raises:
            MtlError: If no plugin provides it, or more than one does.
        """
        noun = EXTENSION_POINTS[extension_point].noun
        candidates = self._registered_specs[extension_point].get(type_name, [])
        if len(candidates) > 1:
            owners = " and ".join(f"'{candidate.plugin}' ({candidate.origin})" for candidate in candidates)
            raise MtlError(f"{noun} '{type_name}' is offered by more than one plugin: {owners}")
        if not candidates:
            known = sorted(self._registered_specs[extension_point])
            raise MtlError(
                f"unknown {noun} '{type_name}'{did_you_mean(type_name, known)} "
                f"(installed: {join_names(known)}){self.format_broken_plugins()}"
            )
        return candidates[0].spec

    def format_broken_plugins(self) -> str:
        """Format the list of broken plugins, for errors that one of them may have caused."""
        if not self.broken:
            return ""
        reasons = "; ".join(f"plugin '{plugin.name}': {plugin.reason}" for plugin in self.broken)
        return f". Not usable: {reasons}"

    def collect_experiments(self) -> dict[str, Path]:
        """Return the paths of the packaged experiments by name.

        Raises:
            MtlError: If two plugins package an experiment under one name.
        """
        paths: dict[str, Path] = {}
        for plugin in self.plugins.loaded:
            for folder in self._call(plugin.name, plugin.origin, "mtl_experiments"):
                for path in sorted(folder.glob("*.yaml")):
                    if path.stem in paths:
                        raise MtlError(f"experiment '{path.stem}' is packaged twice: {paths[path.stem]} and {path}")
                    paths[path.stem] = path
        return paths

    def collect_commands(self) -> dict[str, Commands]:
        """Return the groups of commands that plugins add, by name.

        Raises:
            MtlError: If two plugins add one under the same name.
        """
        return self._collect_contributions("mtl_commands", Commands)

    def collect_services(self) -> dict[str, Service]:
        """Return the services that plugins add to the server, by name.

        Raises:
            MtlError: If two plugins add one under the same name.
        """
        return self._collect_contributions("mtl_services", Service)

    def _collect_contributions(self, hook: str, expected: type[Contribution]) -> dict[str, Contribution]:
        contributions: dict[str, Contribution] = {}
        owners: dict[str, str] = {}
        for plugin in self.plugins.loaded:
            for contribution in self._call(plugin.name, plugin.origin, hook):
                if not isinstance(contribution, expected):
                    reason = f"its hook {hook} offers {contribution!r}, expected {expected.__name__}"
                    self.broken.append(BrokenPlugin(plugin.name, plugin.origin, reason))
                    continue
                if contribution.name in contributions:
                    raise MtlError(
                        f"{hook}: '{contribution.name}' is offered by more than one plugin: "
                        f"'{owners[contribution.name]}' and '{plugin.name}' ({plugin.origin})"
                    )
                contributions[contribution.name], owners[contribution.name] = contribution, plugin.name
        return contributions


def add_unregistered_parts(plugins: Plugins, parts: Sequence[object]) -> None:
    """Add the parts from Python that no loaded plugin registers.

    Raises:
        MtlError: If a part is no spec class, and builds no module.
    """
    if parts:
        plugins.add_parts(find_unregistered_parts(Registry(plugins), parts))


def find_unregistered_parts(registry: Registry, parts: Sequence[object]) -> list[object]:
    """Return the parts that are no spec class of a plugin."""
    registered = {one.spec for name in EXTENSION_POINTS for specs in registry.get_specs(name).values() for one in specs}
    return [part for part in parts if not (isinstance(part, type) and part in registered)]


def _find_implementation(plugins: Plugins, plugin: str, hook: str) -> HookImpl | None:
    for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
        if implementation.plugin_name == plugin:
            return implementation  # type: ignore[no-any-return]
    return None


def _validate_spec(spec: object, extension_point: ExtensionPoint) -> str:
    """Return the error of a registered spec; an empty string if it is valid."""
    if not (isinstance(spec, type) and issubclass(spec, extension_point.base)):
        return f"offers {spec!r}, expected a subclass of {extension_point.base.__name__}"
    if not isinstance(spec.model_fields["type"].default, str):
        name = spec.__name__
        return f'offers {name} without a type name (expected `type: Literal["name"] = "name"` in its body)'
    level = getattr(spec, "level", None)
    if isinstance(level, str) and level not in LEVELS:
        expected = f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}{did_you_mean(level, LEVELS)}"
        return f"offers {spec.__name__} of level {level!r}, expected {expected}"
    layouts = getattr(spec, "layouts", None)
    for layout in sorted(map(str, layouts)) if isinstance(layouts, Set) else []:
        if layout not in LAYOUTS:
            expected = f"{', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}{did_you_mean(layout, LAYOUTS)}"
            return f"offers {spec.__name__} of layout {layout!r}, expected {expected}"
    missing = sorted(getattr(spec, "__abstractmethods__", ()))
    return f"offers {spec.__name__}, which lacks {join_names(missing)}" if missing else ""
