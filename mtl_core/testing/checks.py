"""What a conformance suite is made of: checks, and what was left out of them and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from mtl_core.errors import did_you_mean, listed
from mtl_core.testing.expectations import RandomStateError
from mtl_core.testing.randomness import generators_kept


@dataclass(frozen=True)
class Check:
    """One thing that a part must do.

    Attributes:
        part: The type name of the part that is checked.
        name: The check's name: a few words with hyphens.
        what: What it checks, in one sentence.
        test: Does it.
        variant: What the part is given, where there are several such things (`tokens`, `vectors`).
    """

    part: str
    name: str
    what: str
    test: Callable[[], None]
    variant: str = ""

    def run(self) -> None:
        """Do the check.

        Raises:
            AssertionError: If the part does not hold; the message says what was expected and what was found.
        """
        try:
            with generators_kept():
                self._test()
        except Exception as error:  # whatever a part raises is a finding
            found = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"{self}: {found}\n({self.what})") from error

    def _test(self) -> None:
        known = len(sys.modules)
        try:
            self.test()
        except RandomStateError:
            if len(sys.modules) == known:
                raise
            self.test()  # something was imported, and imports may draw: what counts is the second time

    def __call__(self) -> None:
        """Do the check, as `run` does."""
        self.run()

    def __str__(self) -> str:
        return "-".join(word for word in (self.part, self.name, self.variant) if word)


@dataclass(frozen=True)
class LeftOut:
    """A check that does not apply to a part.

    Attributes:
        name: The check's name.
        reason: Why it does not apply.
    """

    name: str
    reason: str


class Checks(list[Check]):
    """The checks of one part.

    Args:
        part: The part's type name.

    Attributes:
        left_out: What does not apply to this part, with the reason. Nothing is left out without being named here.
    """

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part
        self.left_out: list[LeftOut] = []

    def add(self, name: str, what: str, test: Callable[[], None], variant: str = "") -> None:
        """Add a check."""
        self.append(Check(self.part, name, what, test, variant))

    def leave_out(self, name: str, reason: str) -> None:
        """Say that a check does not apply."""
        self.left_out.append(LeftOut(name, reason))

    def __iadd__(self, others: Iterable[Check]) -> Self:  # type: ignore[override]
        """Add another suite's checks, and what it left out."""
        self.extend(others)
        self.left_out.extend(getattr(others, "left_out", ()))
        return self

    def __add__(self, others: Iterable[Check]) -> Checks:  # type: ignore[override]
        """The checks of both, and what either left out."""
        both = Checks(self.part)
        both += self
        both += others
        return both

    def without(self, reasons: Mapping[str, str]) -> Checks:
        """Leave out what the part's author says does not apply.

        Args:
            reasons: Name of a check to the reason.

        Raises:
            ValueError: If there is no such check, or no reason is given.
        """
        names = {check.name for check in self}
        for name, reason in reasons.items():
            if name not in names:
                hint = did_you_mean(name, names)
                raise ValueError(
                    f"without: '{name}' is no check of '{self.part}'{hint} (checks: {listed(names, 99)})"
                )
            if not reason.strip():
                raise ValueError(f"without: leaving out '{name}' needs a reason")
            self.leave_out(name, reason)
        self[:] = [check for check in self if check.name not in reasons]
        return self


def report(checks: Iterable[Check]) -> bool:
    """Run checks and print a line for each, then what was left out and why.

    Args:
        checks: A suite, or any list of checks.

    Returns:
        Whether all of them hold.
    """
    done = failed = 0
    for check in checks:
        done += 1
        try:
            check.run()
        except AssertionError as error:
            failed += 1
            print(f"FAILED    {error}")
        else:
            print(f"ok        {check}: {check.what}")
    for one in getattr(checks, "left_out", ()):
        print(f"left out  {one.name}: {one.reason}")
    print(f"{done} checks, {failed} failed")
    return done > 0 and not failed
