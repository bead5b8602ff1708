"""Suggestions from task interactions, as sentences with standard errors."""

import math
from collections.abc import Sequence

from mtl_core.interactions.measured import Division, Helper, Measured

LEAST = 10
"""Minimum number of steps for a suggestion."""
SURE = 2.0
"""Number of standard errors for a significant difference."""
SHOWN = 3
"""Maximum number of listed conflicts."""


def suggestions(found: Measured) -> list[str]:
    """Return suggestions: which tasks to train together, and which auxiliary tasks to leave out.

    A change is suggested only if the measured effect exceeds two standard errors.
    """
    told = [_dividing(found.groups[max(found.groups, key=int)], found.observed)] if found.groups else []
    return told + [_helping(name, helper) for name, helper in found.auxiliary.items()]


def strongest_conflicts(found: Measured) -> list[str]:
    """Describe the pairs of tasks with the strongest significant conflict between gradients."""
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
            f"which tasks to train together: no conclusion from {observed} steps, "
            f"{division.steps} of them with labels for every pair of tasks and not used for the choice; observe "
            "more steps (interactions.every)"
        )
    pairs = f"{division.unknown} pairs of tasks were" if division.unknown > 1 else "1 pair of tasks was"
    never = f"; {pairs} never observed together" if division.unknown else ""
    where = f"{observed} observed steps; chosen on every second of them, checked on the others{never}"
    if len(division.networks) == 1:
        return f"which tasks to train together: no grouping is better than one network for all ({where})"
    networks = " | ".join(", ".join(network) for network in division.networks)
    if division.error is None or division.gain <= SURE * division.error:
        return (
            f"which tasks to train together: no conclusion; the best grouping is {networks}, but its improvement "
            f"on other steps is {_with_error(division.gain, division.error)} ({where})"
        )
    gain = _with_error(division.gain, division.error)
    if division.by == "cosine":
        return (
            f"tasks with aligned gradients: {networks} (sum over tasks of the mean cosine with the "
            f"others in the network: {gain} against one network for all; {where}). Cosines are weak "
            "evidence that tasks help each other: measure interactions.affinity, or train both ways and compare"
        )
    return (
        f"candidates for separate networks: {networks} (sum over tasks of the mean affinity from the others in "
        f"the network: {gain} against one network for all; {where}). Train both ways and compare: this is a "
        "hint, not a proof"
    )


def _helping(name: str, helper: Helper) -> str:
    """Describe an auxiliary task by its affinity if that is significant, else by the cosine of its gradient."""
    proof = "`mtl ablate` shows whether it helps"
    affinity, error, steps = helper.affinity, helper.affinity_error, helper.affinity_steps
    if affinity is not None and error is not None and steps >= LEAST and abs(affinity) > SURE * error:
        does = "raised" if affinity < 0 else "lowered"
        text = (
            f"steps along its gradient alone {does} the main tasks' losses, by {100 * abs(affinity):.2g} % on "
            f"average (standard error {100 * error:.2g} %, {steps} steps)"
        )
        advice = "a candidate to leave out" if affinity < 0 else "no reason to leave it out"
        return f"auxiliary task {name}: {advice}; {text}; {proof}"
    share, seen, cosine = helper.conflicts, helper.steps, helper.cosine
    if share is not None and cosine is not None and _surely_most(share, seen):
        return (
            f"auxiliary task {name}: a weak candidate to leave out; its gradient opposes that of the main tasks "
            f"in {share:.0%} of {seen} steps (mean cosine {cosine:+.2f}); {proof}"
        )
    return f"auxiliary task {name}: no conclusion from {max(seen, steps)} steps{_tendency(helper)}; {proof}"


def _tendency(helper: Helper) -> str:
    told = []
    if helper.affinity is not None:
        told.append(f"mean affinity onto the main tasks {_with_error(helper.affinity, helper.affinity_error)}")
    if helper.cosine is not None:
        told.append(f"mean cosine with their gradients {_with_error(helper.cosine, helper.cosine_error)}")
    return f" ({', '.join(told)})" if told else ""


def _surely_most(share: float, steps: int) -> bool:
    """Return whether a fraction exceeds one half by two standard errors (Wilson interval).

    Args:
        share: The observed fraction.
        steps: The number of steps.
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
    """Return all sentences that are printed after a run, conflicts first."""
    conflicts = strongest_conflicts(found)
    first = [f"conflict: {text}" for text in conflicts] or [
        "conflicts: no significant conflict between the gradients of two tasks"
    ]
    return [*first, *suggestions(found)]
