"""Format numbers and names for reports."""

import re
from collections.abc import Sequence

NO_VALUE = "\N{EN DASH}"
"""Placeholder for a missing value."""
MINUS_SIGN = "\N{MINUS SIGN}"


def format_percent(share: float) -> str:
    """Format a proportion as a percentage: `71.2 %`."""
    return f"{100 * share:.1f} %"


def format_percentage_points(difference: float) -> str:
    """Format a difference of proportions in percentage points, without its sign: `4.1 points`."""
    return f"{100 * abs(difference):.1f} points"


def format_count(number: float) -> str:
    """Format a whole number: `1,025`."""
    return f"{number:,.0f}"


def pluralize(number: int, noun: str) -> str:
    """Format a number with its noun, which forms its plural with s: `1 label`, `1,025 labels`."""
    return f"{format_count(number)} {noun}{'' if number == 1 else 's'}"


def format_metric(value: float | None, n: int | None = None) -> str:
    """Format a metric for tables; None is `undefined`, followed by the number of labels `n` if it is passed."""
    if value is None:
        return "undefined" if n is None else f"undefined (n = {format_count(n)})"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def format_signed(value: float) -> str:
    """Format a difference with its sign: `+0.0123`."""
    return f"{value:+.4f}".replace("-", MINUS_SIGN)


def format_p_value(value: float) -> str:
    """Format a p-value: `0.03`, `<0.001`."""
    return "<0.001" if value < 0.001 else f"{value:.2g}"


def format_duration(value: float) -> str:
    """Format a duration in seconds: `0.12 s`, `7.7 s`, `12 min 5 s`."""
    if round(value) >= 60:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    return f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def format_range(low: str, high: str) -> str:
    """Join the formatted bounds of an interval with a dash."""
    return f"{low} \N{EN DASH} {high}"


def format_metric_name(name: str) -> str:
    """Format the name of a metric for texts: `macro f1`."""
    return name.replace("_", " ")


def truncate_label(name: str, limit: int = 26) -> str:
    """Truncate a name to fit into a figure; replace characters that are not printable with spaces."""
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def slugify(name: str) -> str:
    """Convert a name into a slug for file names: `anecdotes-miscellaneous`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def join_with_and(names: Sequence[str], limit: int = 8) -> str:
    """Join names into an enumeration, at most `limit` of them: `food, service and price`."""
    displayed = list(names[:limit])
    if len(names) > limit:
        displayed.append(f"{len(names) - limit} more")
    return displayed[0] if len(displayed) == 1 else ", ".join(displayed[:-1]) + " and " + displayed[-1]
