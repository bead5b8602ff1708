"""Finding and loading plugins: entry points, modules, files, objects.

A plugin that cannot be loaded never takes the program down by itself: it is remembered as `BrokenPlugin`, shown
by `mtl plugins`, and becomes an error when an experiment asks for something that nobody else offers.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType

import pluggy
from pluggy import PluginValidationError

from mtl_core import hookspecs
from mtl_core.errors import MtlError, did_you_mean

ENTRY_POINT_GROUP = "mtl"
HOOKS = [name for name in vars(hookspecs) if name.startswith("mtl_")]


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that works.

    Attributes:
        name: Its entry-point name, module name or file.
        origin: Where it comes from, in words.
        module: The object that carries the hook implementations.
    """

    name: str
    origin: str
    module: object


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that is installed but cannot be used, and why."""

    name: str
    origin: str
    reason: str


class Plugins:
    """The plugins of one process or one experiment, and the pluggy manager that holds them."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("mtl")
        self.manager.add_hookspecs(hookspecs)
        self.loaded: list[LoadedPlugin] = []
        self.broken: list[BrokenPlugin] = []

    @classmethod
    def installed(cls, hook: str = "") -> "Plugins":
        """Load what installed distributions offer in the entry-point group `mtl`.

        Args:
            hook: Leave out modules in whose source this hook is not named; importing everything takes 0.2 s, which
                `mtl --help` does not have.
        """
        plugins = cls()
        for distribution, entry in _entry_points():
            if hook and not _may_name(entry, hook):
                continue
            origin = f"entry point '{entry.name} = {entry.value}' of {distribution}"
            try:
                module = entry.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever an import does is the plugin's fault
                plugins.broken.append(BrokenPlugin(entry.name, origin, _reason(error)))
                continue
            plugins._try(entry.name, origin, module)
        return plugins

    def add(self, name: str, base_dir: Path | None = None) -> None:
        """Load a plugin that the user named: a module, or the path of a `.py` file.

        Args:
            name: Module name or path.
            base_dir: The folder that a relative path starts from; the working directory by default.

        Raises:
            MtlError: If it does not exist, cannot be imported, or is not a valid plugin.
        """
        if name.endswith(".py"):
            path = ((base_dir or Path.cwd()) / name).resolve()
            if not path.is_file():
                raise MtlError(f"plugin '{name}': no such file: {path}")
            self._add_checked(name, f"file {path}", lambda: _import_file(path))
        else:
            self._add_checked(name, f"module {name}", lambda: _import_module(name))

    def add_object(self, module: object, name: str) -> None:
        """Register a module, class or instance with hook implementations (the Python way to `plugins:`).

        Raises:
            MtlError: If it is not a valid plugin.
        """
        self._add_checked(name, f"object {name}", lambda: module)

    def _add_checked(self, name: str, origin: str, load: Callable[[], object]) -> None:
        try:
            module = load()
        except MtlError:
            raise
        except (Exception, SystemExit) as error:
            raise MtlError(f"plugin '{name}' cannot be imported: {_reason(error)}") from error
        before = len(self.broken)
        self._try(name, origin, module)
        if len(self.broken) > before:
            raise MtlError(f"plugin '{name}' cannot be used: {self.broken.pop().reason}")

    def _try(self, name: str, origin: str, module: object) -> None:
        if any(module is plugin.module for plugin in self.loaded):
            return
        namesake = next((plugin for plugin in self.loaded if plugin.name == name), None)
        if namesake is not None:
            reason = f"its name '{name}' is taken by another plugin ({namesake.origin})"
            self.broken.append(BrokenPlugin(name, origin, reason))
            return
        try:
            _check_hooks(module)
            self.manager.register(module, name)
            self.manager.check_pending()
        except (PluginValidationError, MtlError) as error:
            if self.manager.is_registered(module):
                self.manager.unregister(module)
            self.broken.append(BrokenPlugin(name, origin, str(error)))
            return
        self.loaded.append(LoadedPlugin(name, origin, module))


def _may_name(entry: EntryPoint, name: str) -> bool:
    """Whether a module can define something of this name: if its source holds it, or cannot be read."""
    if entry.attr:
        return True
    try:
        spec = importlib.util.find_spec(entry.module)
        source = Path(str(spec.origin)).read_text(encoding="utf-8") if spec is not None else name
    except (ImportError, OSError, ValueError):
        return True
    return name in source or "import *" in source


def _entry_points() -> list[tuple[str, EntryPoint]]:
    """List entry points, a distribution only once: an editable install can be listed twice."""
    seen: set[tuple[str, str]] = set()
    found = []
    for distribution in distributions():
        entries = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
        # Metadata is parsed as an e-mail, which would take 30 ms for all that is installed.
        name = (distribution.metadata["Name"] if entries else None) or "unknown"
        for entry in entries:
            if (name, entry.name) not in seen:
                seen.add((name, entry.name))
                found.append((name, entry))
    return sorted(found, key=lambda pair: (pair[0] != "mtl-core", pair[0], pair[1].name))


def _check_hooks(module: object) -> None:
    """Find the two mistakes about which pluggy is silent or unclear: a misspelt hook, an unmarked one."""
    for name in dir(module):
        if not name.startswith("mtl_"):
            continue
        function = getattr(module, name)
        if not callable(function) or isinstance(function, ModuleType):
            continue
        if name not in HOOKS:
            raise MtlError(f"it implements '{name}', which is no hook{did_you_mean(name, HOOKS)}")
        if not hasattr(function, "mtl_impl"):
            raise MtlError(f"its function '{name}' is not marked with @hookimpl, so it would never be called")
    if not any(hasattr(module, hook) for hook in HOOKS):
        raise MtlError("it implements no hook (a hook is a function such as mtl_heads marked with @hookimpl)")


def _import_module(name: str) -> ModuleType:
    """Import a module; where there is only a file of that name at hand, say how a file is named."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name and Path(f"{name}.py").is_file():
            raise MtlError(f"plugin '{name}': no such module; did you mean the file '{name}.py'?") from error
        raise


def _import_file(path: Path) -> ModuleType:
    """Import a `.py` file under a name that is its own, once for each content."""
    digest = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:12]
    name = f"mtl_plugin_file_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MtlError(f"plugin file {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reason(error: BaseException) -> str:
    """Say what went wrong and, for an error inside a plugin's own file, on which line."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({error.filename}:{error.lineno})"
    else:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is not None and not frame.tb_frame.f_code.co_filename.startswith("<frozen"):
            where = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})"
    return f"{type(error).__name__}: {error}{where}"


def load_plugins(names: Iterable[str] = (), base_dir: Path | None = None) -> Plugins:
    """Load what is installed, and what is named besides.

    Raises:
        MtlError: If a named plugin cannot be loaded.
    """
    plugins = Plugins.installed()
    for name in names:
        plugins.add(name, base_dir)
    return plugins
