"""Which inputs a part is for: found out by trying, since a part refuses others by an `MtlError`."""

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
    """Try a part with several things. What it refuses is left out, and that is said.

    One check is added: the part is for something, and what it is not for it refuses by an `MtlError`.

    Args:
        checks: The part's checks.
        candidates: What to try, by name.
        make: Tries one.
        noun: What they are called.

    Returns:
        What `make` gave, of those that are accepted.
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
        except Exception as error:  # noqa: BLE001  a finding, to be told by the check
            broken[name] = f"{type(error).__name__}: {error}"
            checks.leave_out(f"everything on {name}", f"the check 'accepts' fails on them: {broken[name]}")

    def accepts() -> None:
        expect(not broken, f"expected {noun} to be read, or refused by an MtlError, found {broken}")
        expect(made, f"expected {noun} that the part is for, found all refused: {refused}")

    checks.add("accepts", f"It is for some {noun}, and refuses others by an `MtlError`.", accepts)
    return made
