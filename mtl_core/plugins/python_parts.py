"""Parts that are handed in from Python: spec classes, and modules or functions that build them."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.extension_points import EXTENSION_POINTS, ExtensionPoint
from mtl_core.plugins.hookspecs import hookimpl
from mtl_core.plugins.spec import Spec

PYTHON_PARTS = "python"
"""The name of the plugin of all spec classes that are handed in from Python."""


def get_part_name(part: object) -> str:
    """Return the name of a part: that of a class or a function, or of the class of an instance.

    Example:
        >>> get_part_name(len)
        'len'
    """
    name = getattr(part, "__qualname__", None) or type(part).__qualname__
    return str(name).replace("<locals>.", "")


def find_extension_point(spec: type[Spec]) -> ExtensionPoint:
    """Return the extension point of a spec class.

    Raises:
        MtlError: If it is derived from no base class of an extension point.
    """
    for extension_point in EXTENSION_POINTS.values():
        if issubclass(spec, extension_point.base):
            return extension_point
    raise MtlError(f"{spec.__name__} is a spec of no extension point; derive it from BackboneSpec, HeadSpec, …")


class PythonParts:
    """Parts that are handed in from Python, for example from a notebook.

    Args:
        parts: Spec classes, which become available by their type names; module instances, classes and functions that
            build modules, which become available by their own names.

    Raises:
        MtlError: If a part is none of these, or two have one name.
    """

    def __init__(self, parts: Sequence[object]) -> None:
        if isinstance(parts, str) or not isinstance(parts, Sequence):
            raise MtlError(f"parts: expected a list such as [MyHead], found {parts!r}")
        self.specs: dict[str, list[type[Spec]]] = {}
        self.objects: dict[str, object] = {}
        for part in parts:
            if isinstance(part, type) and issubclass(part, Spec):
                specs = self.specs.setdefault(find_extension_point(part).name, [])
                if part not in specs:
                    specs.append(part)
            elif isinstance(part, Spec):
                raise MtlError(
                    f"parts: expected the class {type(part).__name__}, found an instance of it; its fields are saved"
                )
            elif callable(part):
                self._add_object(part)
            else:
                raise MtlError(f"parts: expected spec classes, modules or functions that build modules, found {part!r}")

    def _add_object(self, part: object) -> None:
        name = get_part_name(part)
        if self.objects.setdefault(name, part) is not part:
            raise MtlError(f"parts: two of them are named '{name}'; give one of them another name")

    def build_plugin(self) -> object:
        """Return a plugin whose hooks return the spec classes."""
        hooks: dict[str, Callable[[], Any]] = {}
        for name, specs in self.specs.items():
            hooks[EXTENSION_POINTS[name].hook] = hookimpl(_return_value(specs))
        return SimpleNamespace(**hooks)


def _return_value(value: object) -> Callable[[], object]:
    return lambda: value


def require_object(objects: Mapping[str, object], name: str, noun: str) -> object:
    """Return the part of a name.

    Args:
        objects: Name to part.
        name: The name.
        noun: What the part is used as, for the message.

    Raises:
        MtlError: If no part of this name was handed in.
    """
    if name in objects:
        return objects[name]
    given = f"; handed in: {join_names(objects)}{did_you_mean(name, objects)}" if objects else ""
    raise MtlError(
        f"the {noun} '{name}' was handed in from Python, and its code is not saved; hand it in again: "
        f"mtl.load(path, parts=[{name}]){given}"
    )
