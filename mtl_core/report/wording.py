"""How numbers and names are written on a page."""

import re
from collections.abc import Sequence

NONE = "\N{EN DASH}"
"""What stands where there is no figure."""
MINUS = "\N{MINUS SIGN}"


def percent(share: float) -> str:
    """A share in hundredths: `71.2 %`."""
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """A difference of shares: `4.1 points`."""
    return f"{100 * abs(difference):.1f} points"


def count(number: float) -> str:
    """A whole number: `1,025`."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, which takes an s: `1 label`, `1,025 labels`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def decimals(value: float | None, n: int | None = None) -> str:
    """A figure as tables give it; what is undefined is named, with the number of labels behind it."""
    if value is None:
        return "undefined" if n is None else f"undefined (n = {count(n)})"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def signed(value: float) -> str:
    """A difference, its sign always there: `+0.0123`."""
    return f"{value:+.4f}".replace("-", MINUS)


def seconds(value: float) -> str:
    """A time: `0.12 s`, `7.7 s`, `12 min 5 s`."""
    if round(value) >= 60:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    return f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def between(low: str, high: str) -> str:
    """An interval, from its written ends."""
    return f"{low} \N{EN DASH} {high}"


def spoken(name: str) -> str:
    """A metric's name as people say it: `macro f1`."""
    return name.replace("_", " ")


def shortened(name: str, limit: int = 26) -> str:
    """A name that fits beside a drawing; letters that cannot be printed become spaces."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def slug(name: str) -> str:
    """A name that can be part of a file's name: `anecdotes-miscellaneous`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def enumerated(names: Sequence[str], limit: int = 8) -> str:
    """Names in a sentence: `food, service and price`."""
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
