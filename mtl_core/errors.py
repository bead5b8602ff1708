"""Errors that a user can correct, and helpers for their messages."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MtlError(Exception):
    """An error in the user's input: a file, a key, a plugin, a run directory.

    The command line prints only the message and exits with code 2. Any other exception is a bug and keeps its
    traceback.
    """


class CollectiveError(MtlError):
    """An error that every rank of a distributed run raises. The command line prints it on rank 0."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Format a hint that contains the valid name nearest to a misspelt one.

    Args:
        name: The misspelt name.
        known: The valid names.

    Returns:
        `"; did you mean 'x'?"`, or an empty string if no valid name is similar.
    """
    matches = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def join_names(names: Iterable[str], limit: int = 20) -> str:
    """Join names for a message, at most `limit` of them; return "none" if there are none."""
    names = list(names)
    if not names:
        return "none"
    suffix = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + suffix


def add_article(noun: str) -> str:
    """Return a noun with its indefinite article, `a` or `an`."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def find_duplicates(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, in alphabetical order."""
    return sorted({name for name in names if names.count(name) > 1})
