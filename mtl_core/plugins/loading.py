"""Discovery and loading of plugins: entry points, modules, files, objects.

An installed plugin that cannot be loaded does not stop the program: it is recorded as a `BrokenPlugin` and listed
by `mtl plugins`. It becomes an error when an experiment uses a type that no other plugin provides.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType

import pluggy
from pluggy import PluginValidationError

from mtl_core.errors import MtlError, did_you_mean
from mtl_core.plugins import hookspecs
from mtl_core.plugins.python_parts import PYTHON_PARTS, PythonParts

ENTRY_POINT_GROUP = "mtl"
HOOKS = [name for name in vars(hookspecs) if name.startswith("mtl_")]


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that can be used.

    Attributes:
        name: Its entry-point name, module name or file.
        origin: A description of its source, for messages.
        module: The object that has the hook implementations.
    """

    name: str
    origin: str
    module: object


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that is installed but cannot be used, and the reason."""

    name: str
    origin: str
    reason: str


class Plugins:
    """The plugins of one process or one experiment, and their pluggy manager."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("mtl")
        self.manager.add_hookspecs(hookspecs)
        self.loaded: list[LoadedPlugin] = []
        self.broken: list[BrokenPlugin] = []
        self.parts: list[object] = []
        self.objects: dict[str, object] = {}

    @classmethod
    def load_installed(cls, hook: str = "") -> "Plugins":
        """Load the entry points of installed distributions in the group `mtl`.

        Args:
            hook: Skip modules whose source does not contain this name. Importing everything takes 0.2 s, which is
                too slow for `mtl --help`.
        """
        plugins = cls()
        for distribution, entry in list_entry_points():
            if hook and not _can_define(entry, hook):
                continue
            origin = f"entry point '{entry.name} = {entry.value}' of {distribution}"
            try:
                module = entry.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001  an import can raise anything
                plugins.broken.append(BrokenPlugin(entry.name, origin, _format_reason(error)))
                continue
            plugins._register(entry.name, origin, module)
        return plugins

    def add(self, name: str, base_dir: Path | None = None) -> None:
        """Load a plugin by name: a module, or the path of a `.py` file.

        Args:
            name: Module name or path.
            base_dir: The folder that a relative path is resolved against; the working directory by default.

        Raises:
            MtlError: If it does not exist, cannot be imported, or is not a valid plugin.
        """
        if name.endswith(".py"):
            try:
                path = ((base_dir or Path.cwd()) / name).resolve()
                is_file = path.is_file()
            except (OSError, ValueError) as error:
                raise MtlError(f"plugin {name!r}: not a valid path: {error}") from error
            if not is_file:
                raise MtlError(f"plugin '{name}': no such file: {path}")
            self._add_checked(name, f"file {path}", lambda: _import_file(path))
        else:
            self._add_checked(name, f"module {name}", lambda: _import_module(name))

    def add_object(self, module: object, name: str) -> None:
        """Register a module, class or instance with hook implementations (the Python equivalent of `plugins:`).

        Raises:
            MtlError: If it is not a valid plugin.
        """
        self._add_checked(name, f"object {name}", lambda: module)

    def add_parts(self, parts: Sequence[object]) -> None:
        """Add parts from Python: spec classes, modules, and functions that build modules.

        Raises:
            MtlError: If a part is none of these.
        """
        python_parts = PythonParts(parts)
        self.parts += parts
        self.objects |= python_parts.objects
        if python_parts.specs:
            self.add_object(python_parts.build_plugin(), PYTHON_PARTS)

    def _add_checked(self, name: str, origin: str, load: Callable[[], object]) -> None:
        try:
            module = load()
        except MtlError:
            raise
        except (Exception, SystemExit) as error:
            raise MtlError(f"plugin '{name}' cannot be imported: {_format_reason(error)}") from error
        n_broken = len(self.broken)
        self._register(name, origin, module)
        if len(self.broken) > n_broken:
            raise MtlError(f"plugin '{name}' cannot be used: {self.broken.pop().reason}")

    def _register(self, name: str, origin: str, module: object) -> None:
        if any(module is plugin.module for plugin in self.loaded):
            return
        duplicate = next((plugin for plugin in self.loaded if plugin.name == name), None)
        if duplicate is not None:
            reason = f"its name '{name}' is taken by another plugin ({duplicate.origin})"
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


def _can_define(entry: EntryPoint, name: str) -> bool:
    """Return whether a module can define this name: its source contains the name or cannot be read."""
    if entry.attr:
        return True
    try:
        spec = importlib.util.find_spec(entry.module)
        source = Path(str(spec.origin)).read_text(encoding="utf-8") if spec is not None else name
    except (ImportError, OSError, ValueError):
        return True
    return name in source or "import *" in source


def list_entry_points() -> list[tuple[str, EntryPoint]]:
    """List the entry points, each distribution only once: an editable install can be listed twice."""
    seen: set[tuple[str, str]] = set()
    entry_points = []
    for distribution in distributions():
        # Parsing the entry points of all installed distributions takes longer than reading them.
        if f"[{ENTRY_POINT_GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
            continue
        entries = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
        # Metadata is parsed as an e-mail; parsing it for all installed distributions would take 30 ms.
        name = (distribution.metadata["Name"] if entries else None) or "unknown"
        for entry in entries:
            if (name, entry.name) not in seen:
                seen.add((name, entry.name))
                entry_points.append((name, entry))
    return sorted(entry_points, key=lambda pair: (pair[0] != "mtl-core", pair[0], pair[1].name))


def _check_hooks(module: object) -> None:
    """Check for the two errors that pluggy does not report clearly: a misspelt hook, an unmarked hook."""
    for name in dir(module):
        if not name.startswith("mtl_"):
            continue
        function = getattr(module, name)
        if not callable(function) or isinstance(function, ModuleType):
            continue
        if name not in HOOKS:
            raise MtlError(f"it implements '{name}', which is not a hook{did_you_mean(name, HOOKS)}")
        if not hasattr(function, "mtl_impl"):
            raise MtlError(f"its function '{name}' is not marked with @hookimpl, so it would never be called")
    if not any(hasattr(module, hook) for hook in HOOKS):
        raise MtlError("it implements no hook (a hook is a function such as mtl_heads marked with @hookimpl)")


def _import_module(name: str) -> ModuleType:
    """Import a module; if there is only a file of that name, raise an error that suggests the file."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name and Path(f"{name}.py").is_file():
            raise MtlError(f"plugin '{name}': no such module; did you mean the file '{name}.py'?") from error
        raise


def _import_file(path: Path) -> ModuleType:
    """Import a `.py` file under a unique module name, once per content."""
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


def _format_reason(error: BaseException) -> str:
    """Format an error with its type and, if it was raised inside a plugin's file, its line."""
    location = ""
    if isinstance(error, SyntaxError) and error.filename:
        location = f" ({error.filename}:{error.lineno})"
    else:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is not None and not frame.tb_frame.f_code.co_filename.startswith("<frozen"):
            location = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})"
    return f"{type(error).__name__}: {error}{location}"


def load_plugins(names: Iterable[str] = (), base_dir: Path | None = None) -> Plugins:
    """Load the installed plugins and the plugins with the given names.

    Raises:
        MtlError: If a named plugin cannot be loaded.
    """
    plugins = Plugins.load_installed()
    for name in names:
        plugins.add(name, base_dir)
    return plugins
