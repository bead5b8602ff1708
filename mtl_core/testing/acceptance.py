"""Determine which inputs a part accepts by trying them: a part raises an `MtlError` for the others."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from mtl_core.errors import MtlError
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import seeded

Given = TypeVar("Given")
Made = TypeVar("Made")


def accepted(
    checks: Checks, candidates: Mapping[str, Given], make: Callable[[Given], Made], noun: str
) -> dict[str, Made]:
    """Try a part with several candidates, and skip those that it refuses, with the reason.

    Adds one check: the part accepts at least one candidate, and raises an `MtlError` for those it does not accept.

    Args:
        checks: The part's checks.
        candidates: Name to candidate.
        make: Builds something from one candidate.
        noun: What the candidates are, for messages.

    Returns:
        Name of each accepted candidate to the result of `make`.
    """
    made: dict[str, Made] = {}
    refused: dict[str, str] = {}
    broken: dict[str, str] = {}
    for name, candidate in candidates.items():
        try:
            with seeded(0):
                made[name] = make(candidate)
        except MtlError as error:
            refused[name] = str(error)
            checks.leave_out(f"everything on {name}", f"refused: {error}")
        except Exception as error:  # noqa: BLE001  the check reports it
            broken[name] = f"{type(error).__name__}: {error}"
            checks.leave_out(f"everything on {name}", f"the check 'accepts' fails: {broken[name]}")

    def accepts() -> None:
        expect(not broken, f"expected {noun} to be accepted, or refused by an MtlError, found {broken}")
        expect(made, f"expected {noun} that the part accepts, found all refused: {refused}")

    checks.add("accepts", f"It accepts some {noun}, and raises an `MtlError` for the others.", accepts)
    return made
