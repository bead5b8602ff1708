"""Check that the packages of the trackers are installed."""

from collections.abc import Iterator, Sequence

from mtl_core.errors import MtlError
from mtl_core.packages import what_is_missing
from mtl_core.specs import TrackerSpec


def missing_packages(trackers: Sequence[TrackerSpec]) -> Iterator[tuple[int, str]]:
    """Yield the index of each tracker whose package is not installed, and the message for it."""
    for place, spec in enumerate(trackers):
        if flaw := what_is_missing(spec.needs()):
            yield place, f"the tracker '{spec.type}' {flaw}"


def check_packages(trackers: Sequence[TrackerSpec]) -> None:
    """Check, before a run starts, that the packages of all trackers are installed.

    Raises:
        MtlError: If a package is not installed.
    """
    for place, message in missing_packages(trackers):
        raise MtlError(f"trackers.{place}: {message}")
