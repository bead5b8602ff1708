"""Whether the packages are there that trackers write with."""

from collections.abc import Iterator, Sequence

from mtl_core.errors import MtlError
from mtl_core.packages import what_is_missing
from mtl_core.specs import TrackerSpec


def missing_packages(trackers: Sequence[TrackerSpec]) -> Iterator[tuple[int, str]]:
    """Give the place of each tracker that cannot write here, and what is to be installed for it."""
    for place, spec in enumerate(trackers):
        if flaw := what_is_missing(spec.needs()):
            yield place, f"the tracker '{spec.type}' {flaw}"


def check_packages(trackers: Sequence[TrackerSpec]) -> None:
    """Refuse to begin a run that cannot be tracked as it asks.

    Raises:
        MtlError: If a package is missing.
    """
    for place, message in missing_packages(trackers):
        raise MtlError(f"trackers.{place}: {message}")
