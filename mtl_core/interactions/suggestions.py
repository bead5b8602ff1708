"""What may follow from tasks' influence on each other, in sentences that say how sure it is."""

import math
from collections.abc import Sequence

from mtl_core.interactions.measured import Division, Helper, Measured

LEAST = 10
"""Steps below which nothing is said."""
SURE = 2.0
"""Standard errors that a figure must be away from where it would say nothing."""
SHOWN = 3
"""Conflicts that are listed."""


def suggestions(found: Measured) -> list[str]:
    """Say what the figures speak for: which tasks to train together, and which auxiliary ones to leave out.

    Nothing is suggested unless the figure is two standard errors away from saying nothing.
    """
    told = [_dividing(found.groups[max(found.groups, key=int)], found.observed)] if found.groups else []
    return told + [_helping(name, helper) for name, helper in found.auxiliary.items()]


def strongest_conflicts(found: Measured) -> list[str]:
    """Name the pairs of tasks whose gradients point apart the most, as far as that is no chance."""
    pairs = []
    for row, name in enumerate(found.tasks):
        for column in range(row):
            cosine, error = found.cosine[row][column], found.cosine_error[row][column]
            share, steps = found.conflicts[row][column], found.steps[row][column]
            if cosine is None or error is None or share is None or steps < LEAST or cosine + SURE * error >= 0:
                continue
            text = f"{found.tasks[column]} against {name}: mean cosine {cosine:+.2f} (standard error {error:.2f}), "
            pairs.append((cosine, f"{text}negative in {share:.0%} of {steps} steps"))
    return [text for _, text in sorted(pairs)[:SHOWN]]


def _dividing(division: Division, observed: int) -> str:
    if division.steps < LEAST // 2:
        return (
            f"which tasks to train together: nothing can be told from {observed} steps that were looked at, "
            f"{division.steps} of them with labels for every two tasks and not used for choosing; look more often "
            "(interactions.every)"
        )
    pairs = f"{division.unknown} pairs of tasks were" if division.unknown > 1 else "1 pair of tasks was"
    never = f"; {pairs} never seen together" if division.unknown else ""
    where = f"{observed} steps looked at; chosen by every second of them, checked on the others{never}"
    if len(division.networks) == 1:
        return f"which tasks to train together: no division looked better than one network for all ({where})"
    networks = " | ".join(", ".join(network) for network in division.networks)
    if division.error is None or division.gain <= SURE * division.error:
        return (
            f"which tasks to train together: nothing can be told; the best division was {networks}, but its gain "
            f"on other steps is {_with_error(division.gain, division.error)} ({where})"
        )
    gain = _with_error(division.gain, division.error)
    if division.by == "cosine":
        return (
            f"tasks whose gradients point the same way: {networks} (sum over tasks of the mean cosine with the "
            f"others in the network: {gain} against one network for all; {where}). Cosines say little of "
            "whether tasks help each other: measure interactions.affinity, or train both ways and compare"
        )
    return (
        f"worth a try in networks of their own: {networks} (sum over tasks of the mean affinity from the others in "
        f"the network: {gain} against one network for all; {where}). Train both ways and compare: this is a "
        "hint, not a proof"
    )


def _helping(name: str, helper: Helper) -> str:
    """Affinity has the first word, the direction of gradients the second."""
    proof = "`mtl ablate` tells whether it helps"
    affinity, error, steps = helper.affinity, helper.affinity_error, helper.affinity_steps
    if affinity is not None and error is not None and steps >= LEAST and abs(affinity) > SURE * error:
        does = "raised" if affinity < 0 else "lowered"
        text = (
            f"steps along its gradient alone {does} the main tasks' losses, by {100 * abs(affinity):.2g} % on "
            f"average (standard error {100 * error:.2g} %, {steps} steps)"
        )
        advice = "a candidate to leave out" if affinity < 0 else "nothing speaks for leaving it out"
        return f"auxiliary task {name}: {advice}; {text}; {proof}"
    share, seen, cosine = helper.conflicts, helper.steps, helper.cosine
    if share is not None and cosine is not None and _surely_most(share, seen):
        return (
            f"auxiliary task {name}: perhaps one to leave out; its gradient points against that of the main tasks "
            f"in {share:.0%} of {seen} steps (mean cosine {cosine:+.2f}); {proof}"
        )
    return f"auxiliary task {name}: nothing can be told from {max(seen, steps)} steps{_tendency(helper)}; {proof}"


def _tendency(helper: Helper) -> str:
    told = []
    if helper.affinity is not None:
        told.append(f"mean affinity onto the main tasks {_with_error(helper.affinity, helper.affinity_error)}")
    if helper.cosine is not None:
        told.append(f"mean cosine with their gradients {_with_error(helper.cosine, helper.cosine_error)}")
    return f" ({', '.join(told)})" if told else ""


def _surely_most(share: float, steps: int) -> bool:
    """Whether a share is above one half by two standard errors: those of Wilson's interval, never 0.

    Args:
        share: What was found.
        steps: In how many steps.
    """
    if steps < LEAST:
        return False
    square = SURE**2
    middle = (share + square / (2 * steps)) / (1 + square / steps)
    width = SURE / (1 + square / steps) * math.sqrt(share * (1 - share) / steps + square / (4 * steps**2))
    return middle - width > 0.5


def _with_error(value: float, error: float | None) -> str:
    known = f" (standard error {error:.2g})" if error is not None else ""
    return f"{value:+.2g}{known}"


def sentences(found: Measured) -> Sequence[str]:
    """All that is printed after a run: conflicts first."""
    conflicts = strongest_conflicts(found)
    first = [f"conflict: {text}" for text in conflicts] or [
        "conflicts: no two tasks' gradients point apart by more than chance"
    ]
    return [*first, *suggestions(found)]
