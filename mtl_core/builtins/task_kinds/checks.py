"""Validation shared by the YAML blocks of all task kinds."""

from collections.abc import Sequence


def validate_unique(item: str, names: Sequence[str]) -> None:
    """Raise an error if a name is listed twice.

    Raises:
        ValueError: If a name is listed twice; pydantic reports it.
    """
    duplicates = [name for name in names if names.count(name) > 1]
    if duplicates:
        raise ValueError(f"the {item} '{duplicates[0]}' is listed twice")
