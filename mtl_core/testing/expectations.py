"""Failing with a message that says what was expected and what was found."""

from typing import NoReturn


class RandomStateError(AssertionError):
    """A global generator was drawn from or seeded."""


def expect(holds: object, message: str) -> None:
    """Fail with a message unless something holds.

    Raises:
        AssertionError: If it does not.
    """
    if not holds:
        fail(message)


def fail(message: str) -> NoReturn:
    """Fail with a message.

    Raises:
        AssertionError: Always.
    """
    raise AssertionError(message)
