"""Validation shared by the YAML blocks of all task kinds."""

from collections.abc import Sequence


def refuse_twice(what: str, names: Sequence[str]) -> None:
    """Raise an error if a name is listed twice.

    Raises:
        ValueError: If a name is listed twice; pydantic reports it.
    """
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"the {what} '{twice[0]}' is listed twice")
