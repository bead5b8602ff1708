"""Determine which inputs a part accepts by trying them: a part raises an `MtlError` for the others."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from mtl_core.errors import MtlError
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.rng import temporary_seed

Candidate = TypeVar("Candidate")
Built = TypeVar("Built")


def build_accepted(
    checks: Checks, candidates: Mapping[str, Candidate], build: Callable[[Candidate], Built], noun: str
) -> dict[str, Built]:
    """Try a part with several candidates, and skip those that it refuses, with the reason.

    Adds one check: the part accepts at least one candidate, and raises an `MtlError` for those it does not accept.

    Args:
        checks: The part's checks.
        candidates: Name to candidate.
        build: Builds something from one candidate.
        noun: What the candidates are, for messages.

    Returns:
        Name of each accepted candidate to the result of `build`.
    """
    built: dict[str, Built] = {}
    refusals: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name, candidate in candidates.items():
        try:
            with temporary_seed(0):
                built[name] = build(candidate)
        except MtlError as error:
            refusals[name] = str(error)
            checks.skip(f"everything on {name}", f"refused: {error}")
        except Exception as error:  # noqa: BLE001  the check reports it
            errors[name] = f"{type(error).__name__}: {error}"
            checks.skip(f"everything on {name}", f"the check 'accepts' fails: {errors[name]}")

    def accepts() -> None:
        expect(not errors, f"expected {noun} to be accepted, or refused by an MtlError, found {errors}")
        expect(built, f"expected {noun} that the part accepts, found all refused: {refusals}")

    checks.add("accepts", f"It accepts some {noun}, and raises an `MtlError` for the others.", accepts)
    return built
