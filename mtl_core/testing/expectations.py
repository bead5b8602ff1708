"""Assertions whose messages contain what was expected and what was found."""

from typing import NoReturn


class RandomStateError(AssertionError):
    """The state of a global random generator changed."""


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
