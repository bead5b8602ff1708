"""Errors that a user can mend, and the words that help to mend them."""

from collections.abc import Iterable
from difflib import get_close_matches


class MtlError(Exception):
    """A mistake in what the framework was given: a file, a key, a plugin, a run directory.

    The command line prints the message alone and exits with code 2. Anything that is not an `MtlError` is a
    bug and keeps its traceback.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to a misspelt one.

    Args:
        name: What was found.
        known: The names that would have been accepted.

    Returns:
        `"; did you mean 'x'?"`, or an empty string if nothing is near.
    """
    near = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Join names for a message, cut after `limit`; "none" if there are none."""
    names = list(names)
    if not names:
        return "none"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
