"""Check that the packages of the trackers are installed."""

from collections.abc import Iterator, Sequence

from mtl_core.errors import MtlError
from mtl_core.plugins.optional_packages import describe_missing_packages
from mtl_core.plugins.specs import TrackerSpec


def find_missing_packages(trackers: Sequence[TrackerSpec]) -> Iterator[tuple[int, str]]:
    """Yield the index of each tracker whose package is not installed, and the message for it."""
    for index, spec in enumerate(trackers):
        if message := describe_missing_packages(spec.list_required_packages()):
            yield index, f"the tracker '{spec.type}' {message}"


def check_packages(trackers: Sequence[TrackerSpec]) -> None:
    """Check, before a run starts, that the packages of all trackers are installed.

    Raises:
        MtlError: If a package is not installed.
    """
    for index, message in find_missing_packages(trackers):
        raise MtlError(f"trackers.{index}: {message}")
