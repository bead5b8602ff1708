"""Lists of names in which an entry can be a pattern (`ACEA_*`) or a range (`fp{0..1023}`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from mtl_core.errors import MtlError, did_you_mean, join_names

MAX_RANGE = 1_000_000
"""The maximum number of names of a range."""
N_SUGGESTIONS = 3
"""The number of names that the message for an entry without a match suggests."""

_RANGE = re.compile(r"(?P<prefix>.*)\{(?P<first>\d+)\.\.(?P<last>\d+)\}(?P<suffix>.*)", re.DOTALL)
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>0|[1-9]\d*)(?P<suffix>\D*)", re.DOTALL)


def is_pattern(entry: str) -> bool:
    """Return whether an entry contains a wildcard of fnmatch: `*`, `?` or `[`."""
    return any(character in entry for character in "*?[")


def expand_range(entry: str) -> list[str]:
    """Return the names of a range, or the entry itself if it is none.

    Args:
        entry: A text such as `fp{0..1023}`, as in Bash. Numbers are padded with zeros if a bound is: `fp{00..31}`.

    Raises:
        MtlError: If the range is empty or too long.

    Example:
        >>> expand_range("fp{8..11}")
        ['fp8', 'fp9', 'fp10', 'fp11']
    """
    match = _RANGE.fullmatch(entry)
    if match is None:
        return [entry]
    first, last = match["first"], match["last"]
    n_names = int(last) - int(first) + 1
    if not 0 < n_names <= MAX_RANGE:
        raise MtlError(f"the range '{entry}' has {max(n_names, 0):,} names, expected 1 to {MAX_RANGE:,}")
    is_padded = any(len(bound) > 1 and bound.startswith("0") for bound in (first, last))
    width = max(len(first), len(last)) if is_padded else 0
    return [f"{match['prefix']}{number:0{width}d}{match['suffix']}" for number in range(int(first), int(last) + 1)]


def expand_names(entries: Iterable[str], names: Sequence[str], noun: str) -> list[str]:
    """Return the names that entries select, each once; the matches of a pattern are in the order of `names`.

    An entry that is one of the names selects this name, even if it looks like a pattern.

    Args:
        entries: Names, ranges (`fp{0..1023}`), and patterns of `fnmatch` (`ACEA_*`), which distinguish case.
        names: All names.
        noun: What the names are, for messages: "label column", "task".

    Raises:
        MtlError: If an entry selects nothing; the message contains the nearest names.

    Example:
        >>> expand_names(["b*", "a1"], ["a1", "b1", "a2", "b2"], "column")
        ['b1', 'b2', 'a1']
    """
    known = frozenset(names)
    selected: dict[str, None] = {}
    for entry in entries:
        if entry in known:
            selected[entry] = None
        elif is_pattern(entry):
            selected.update(dict.fromkeys(match_pattern(entry, names, noun)))
        else:
            for name in expand_range(entry):
                if name not in known:
                    raise MtlError(f"no {noun} '{name}'{did_you_mean(name, names)} ({noun}s: {join_names(names)})")
                selected[name] = None
    return list(selected)


def match_pattern(pattern: str, names: Sequence[str], noun: str) -> list[str]:
    """Return the names that match a pattern of fnmatch, in their order.

    Raises:
        MtlError: If there is none; the message contains the nearest names.
    """
    matches = [name for name in names if fnmatchcase(name, pattern)]
    if not matches:
        raise MtlError(f"no {noun} matches '{pattern}'{suggest_names(pattern, names)} ({noun}s: {join_names(names)})")
    return matches


def compress_names(names: Sequence[str]) -> list[str]:
    """Replace names with consecutive numbers by ranges; `expand_range` of each entry returns the same names.

    Example:
        >>> compress_names(["size", "fp0", "fp1", "fp2", "fp3"])
        ['size', 'fp{0..3}']
    """
    entries: list[str] = []
    start = 0
    while start < len(names):
        stop = start + 1
        match = _NUMBERED.fullmatch(names[start])
        if match is not None:
            prefix, number, suffix = match["prefix"], int(match["number"]), match["suffix"]
            while stop < len(names) and names[stop] == f"{prefix}{number + stop - start}{suffix}":
                stop += 1
        if match is not None and stop - start > 2:
            entries.append(f"{prefix}{{{number}..{number + stop - start - 1}}}{suffix}")
        else:
            stop = start + 1
            entries.append(names[start])
        start = stop
    return entries


def suggest_names(pattern: str, names: Sequence[str]) -> str:
    """Format a hint for a pattern without a match: the nearest names, or an empty text if none is similar."""
    text = re.sub(r"\[[^]]*\]|[*?]", "", pattern)
    nearest = get_close_matches(text, list(names), n=N_SUGGESTIONS, cutoff=0.5)
    if not nearest:  # a long name can share its start only
        prefixes = {name: name[: max(len(text), 1)].casefold() for name in names}
        close = get_close_matches(text.casefold(), list(dict.fromkeys(prefixes.values())), n=1, cutoff=0.5)
        nearest = [name for name, prefix in prefixes.items() if prefix in close][:N_SUGGESTIONS]
    return f"; nearest: {', '.join(sorted(nearest, key=list(names).index))}" if nearest else ""
