"""The registry in which models look up specs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry

_ACTIVE: ContextVar[Registry | None] = ContextVar("registry", default=None)


@contextmanager
def use_registry(registry: Registry) -> Iterator[None]:
    """Look up all specs in a registry while the context is active, also for models that are built in Python.

    Example:
        >>> from mtl_core.plugins.loading import load_plugins
        >>> with use_registry(Registry(load_plugins())):
        ...     get_registry(None).find("optimizers", "adam").type_name()
        'adam'
    """
    token = _ACTIVE.set(registry)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def get_active_registry() -> Registry:
    """Return the active registry, or one of the installed plugins, which are discovered once per process."""
    registry = _ACTIVE.get()
    return registry if registry is not None else _load_installed_registry()


@cache
def _load_installed_registry() -> Registry:
    return Registry(Plugins.load_installed())


def get_registry(context: Mapping[str, Any] | None) -> Registry:
    """Return the registry of a pydantic validation context, the active registry, or one of the installed plugins.

    Args:
        context: The `context` of a `ValidationInfo`; its key `registry` has priority.
    """
    registry: Registry | None = (context or {}).get("registry") or _ACTIVE.get()
    return registry if registry is not None else Registry(Plugins.load_installed())
