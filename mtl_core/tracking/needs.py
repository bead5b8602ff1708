"""Whether the packages are there that trackers write with."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from mtl_core.errors import MtlError, listed
from mtl_core.specs import TrackerSpec


def missing_packages(trackers: Sequence[TrackerSpec]) -> Iterator[tuple[int, str]]:
    """Give the place of each tracker that cannot write here, and what is to be installed for it."""
    for place, spec in enumerate(trackers):
        needs = spec.needs()
        missing = [module for module in needs if find_spec(module) is None]
        if missing:
            packages = " ".join(dict.fromkeys(needs[module] for module in missing))
            flaw = f"the tracker '{spec.type}' needs {listed(missing)}, which is not installed"
            yield place, f"{flaw}: pip install {packages}"


def check_packages(trackers: Sequence[TrackerSpec]) -> None:
    """Refuse to begin a run that cannot be tracked as it asks.

    Raises:
        MtlError: If a package is missing.
    """
    for place, message in missing_packages(trackers):
        raise MtlError(f"trackers.{place}: {message}")
