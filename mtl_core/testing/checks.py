"""The elements of a conformance suite: assertions, checks, and the skipped checks with reasons."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, Self, TypeVar

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.testing.rng import RandomStateError, isolate_rng, temporary_seed


def expect(condition: object, message: str) -> None:
    """Raise an `AssertionError` with a message unless a condition is true.

    Raises:
        AssertionError: If `condition` is false.
    """
    if not condition:
        fail(message)


def fail(message: str) -> NoReturn:
    """Raise an `AssertionError` with a message.

    Raises:
        AssertionError: Always.
    """
    raise AssertionError(message)


@dataclass(frozen=True)
class Check:
    """One requirement of a part.

    Attributes:
        part: The type name of the part that is checked.
        name: The check's name in kebab-case.
        description: The requirement, in one sentence.
        test: Raises an exception if the part does not meet it.
        variant: The kind of input that the part is checked with, if there are several (`tokens`, `vectors`).
    """

    part: str
    name: str
    description: str
    test: Callable[[], None]
    variant: str = ""

    def run(self) -> None:
        """Run the check.

        Raises:
            AssertionError: If the check fails; the message contains what was expected and what was found.
        """
        try:
            with isolate_rng():
                self._run_test()
        except Exception as error:  # any exception of a part fails the check
            message = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"{self}: {message}\n({self.description})") from error

    def _run_test(self) -> None:
        n_modules = len(sys.modules)
        try:
            self.test()
        except RandomStateError:
            if len(sys.modules) == n_modules:
                raise
            self.test()  # an import may have drawn random numbers: only the second run counts

    def __call__(self) -> None:
        """Run the check; see `run`."""
        self.run()

    def __str__(self) -> str:
        return "-".join(word for word in (self.part, self.name, self.variant) if word)


@dataclass(frozen=True)
class SkippedCheck:
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
        skipped_checks: The checks that do not apply to this part, with reasons. Contains every skipped check.
    """

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part
        self.skipped_checks: list[SkippedCheck] = []

    def add(self, name: str, description: str, test: Callable[[], None], variant: str = "") -> None:
        """Add a check."""
        self.append(Check(self.part, name, description, test, variant))

    def skip(self, name: str, reason: str) -> None:
        """Record that a check does not apply."""
        self.skipped_checks.append(SkippedCheck(name, reason))

    def __iadd__(self, others: Iterable[Check]) -> Self:  # type: ignore[override]
        """Add another suite's checks and skipped checks."""
        self.extend(others)
        self.skipped_checks.extend(getattr(others, "skipped_checks", ()))
        return self

    def __add__(self, others: Iterable[Check]) -> Checks:  # type: ignore[override]
        """Return the checks and skipped checks of both suites."""
        both = Checks(self.part)
        both += self
        both += others
        return both

    def skip_checks(self, reasons: Mapping[str, str]) -> Checks:
        """Skip the checks that the part's author declares not applicable.

        Args:
            reasons: Check name to reason.

        Raises:
            ValueError: If a check does not exist, or a reason is empty.
        """
        names = {check.name for check in self}
        for name, reason in reasons.items():
            if name not in names:
                hint = did_you_mean(name, names)
                raise ValueError(
                    f"skip: '{name}' is not a check of '{self.part}'{hint} (checks: {join_names(names, 99)})"
                )
            if not reason.strip():
                raise ValueError(f"skip: skipping '{name}' needs a reason")
            self.skip(name, reason)
        self[:] = [check for check in self if check.name not in reasons]
        return self


def report(checks: Iterable[Check]) -> bool:
    """Run checks and print one line per check, then the skipped checks with reasons.

    Args:
        checks: A suite, or any iterable of checks.

    Returns:
        Whether at least one check ran and none failed.
    """
    n_run = n_failed = 0
    for check in checks:
        n_run += 1
        try:
            check.run()
        except AssertionError as error:
            n_failed += 1
            print(f"FAILED    {error}")
        else:
            print(f"ok        {check}: {check.description}")
    for skipped in getattr(checks, "skipped_checks", ()):
        print(f"skipped   {skipped.name}: {skipped.reason}")
    print(f"{n_run} checks, {n_failed} failed")
    return n_run > 0 and not n_failed


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
