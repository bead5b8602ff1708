"""Checks that optional packages are installed."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mtl_core.errors import MtlError, join_names

if TYPE_CHECKING:
    from mtl_core.plugins.specs import TrackerSpec


def describe_missing_packages(requirements: Mapping[str, str]) -> str:
    """Format a message that names the missing modules and the command that installs them.

    Args:
        requirements: Maps each required module to the argument of `pip install` that installs it.

    Returns:
        The message; an empty string if all modules are installed.
    """
    missing = [module for module in requirements if find_spec(module) is None]
    if not missing:
        return ""
    packages = " ".join(dict.fromkeys(requirements[module] for module in missing))
    return f"needs {join_names(missing)}, which is not installed: pip install {packages}"


def find_missing_packages(trackers: "Sequence[TrackerSpec]") -> Iterator[tuple[int, str]]:
    """Yield the index of each tracker whose package is not installed, and the message for it."""
    for index, spec in enumerate(trackers):
        if message := describe_missing_packages(spec.list_required_packages()):
            yield index, f"the tracker '{spec.type}' {message}"


def check_packages(trackers: "Sequence[TrackerSpec]") -> None:
    """Check, before a run starts, that the packages of all trackers are installed.

    Raises:
        MtlError: If a package is not installed.
    """
    for index, message in find_missing_packages(trackers):
        raise MtlError(f"trackers.{index}: {message}")
