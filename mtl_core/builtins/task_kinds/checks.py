"""What every task kind's YAML block is checked for."""

from collections.abc import Sequence


def refuse_twice(what: str, names: Sequence[str]) -> None:
    """Refuse a name that is listed twice.

    Raises:
        ValueError: For pydantic to report.
    """
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"the {what} '{twice[0]}' is listed twice")
